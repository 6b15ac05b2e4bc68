"""Makes two networks that are equal in float to stored ones, but whose activations have an outlier channel; see README.md.

OUT/stress_depthwise.onnx   from models/fashion_mobilenet_v2.onnx: one channel between an expansion and its depthwise
                            convolution is FACTOR times as large. The expansion's weights and bias of that channel are
                            multiplied, the depthwise convolution's weights of it divided. The ReLU6 between becomes a
                            ReLU, which is legal because that tensor never comes near 6 on Fashion-MNIST.
OUT/stress_layernorm.onnx   from models/fashion_tiny_vit.onnx: one channel of every layer norm that only linear layers read is
                            FACTOR times as large; their weights' rows that read it are divided.

Needs Python's onnx (any version from 1.12 on) and numpy, nothing else.
"""

import argparse
import os

import numpy as np
import onnx
from onnx import numpy_helper


class Graph:
    """Finds and replaces constants by name."""

    def __init__(self, path):
        self.model = onnx.load(path)
        self.constants = {t.name: t for t in self.model.graph.initializer}
        for node in self.model.graph.node:  # shared weights
            if node.op_type == "Identity" and node.input[0] in self.constants:
                self.constants[node.output[0]] = self.constants[node.input[0]]

    def readers(self, name):
        return [n for n in self.model.graph.node if name in n.input]

    def scale(self, name, index, factor):
        tensor = self.constants[name]
        if tensor.name != name:
            raise SystemExit(f"{name} shares its values with {tensor.name}")
        value = numpy_helper.to_array(tensor).copy()
        value[index] *= factor
        tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float32), name))

    def value(self, name):
        return numpy_helper.to_array(self.constants[name])

    def save(self, path):
        read = {i for n in self.model.graph.node for i in n.input} | {o.name for o in self.model.graph.output}
        for node in [n for n in self.model.graph.node if n.op_type == "Constant" and n.output[0] not in read]:
            self.model.graph.node.remove(node)
        onnx.checker.check_model(self.model)
        onnx.save(self.model, path)


def attribute(node, name):
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def depthwise(source, target, block, factor):
    """`block` counts depthwise convolutions, from 0."""
    graph = Graph(source)
    convolutions = [n for n in graph.model.graph.node if n.op_type == "Conv"]
    wide = [n for n in convolutions if (attribute(n, "group") or 1) > 1][block]
    clip = next(n for n in graph.model.graph.node if wide.input[0] in n.output)
    before = next(n for n in convolutions if clip.input[0] in n.output)
    if clip.op_type != "Clip" or len(graph.readers(clip.output[0])) != 1:
        raise SystemExit(f"{wide.name} has no ReLU6 of its own before it")
    # the channel whose depthwise weights matter most, times how large its input can be: a channel that does work
    importance = np.abs(graph.value(wide.input[1])).sum((1, 2, 3)) * np.abs(graph.value(before.input[1])).sum((1, 2, 3))
    channel = int(importance.argmax())
    graph.scale(before.input[1], channel, factor)
    graph.scale(before.input[2], channel, factor)
    graph.scale(wide.input[1], channel, 1 / factor)
    clip.op_type = "Relu"
    del clip.input[1:]
    graph.save(target)
    print(f"{target}: channel {channel} of {clip.output[0]} times {factor:g}")


def layer_norm(source, target, channel, factor):
    graph = Graph(source)
    changed = 0
    for norm in [n for n in graph.model.graph.node if n.op_type == "LayerNormalization"]:
        readers = [n for n in graph.readers(norm.output[0]) if n.op_type != "Shape"]
        if not all(n.op_type == "MatMul" and n.input[1] in graph.constants for n in readers):
            continue
        for name in norm.input[1:3]:
            graph.scale(name, channel, factor)
        for name in {n.input[1] for n in readers}:
            graph.scale(name, channel, 1 / factor)
        changed += 1
    graph.save(target)
    print(f"{target}: channel {channel} of {changed} layer norms times {factor:g}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", default="models", help="folder of the stored networks")
    p.add_argument("--out", required=True)
    p.add_argument("--factor", type=float, default=1000)
    p.add_argument("--block", type=int, default=3, help="which depthwise convolution; 3 is the first of its stage, without a residual")
    p.add_argument("--channel", type=int, default=5, help="of the layer norms")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    depthwise(os.path.join(a.models, "fashion_mobilenet_v2.onnx"), os.path.join(a.out, "stress_depthwise.onnx"), a.block, a.factor)
    layer_norm(os.path.join(a.models, "fashion_tiny_vit.onnx"), os.path.join(a.out, "stress_layernorm.onnx"), a.channel, a.factor)


if __name__ == "__main__":
    main()
