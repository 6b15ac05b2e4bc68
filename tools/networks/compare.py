"""Compares xInfer's FP32 outputs with ONNX Runtime's on exports of whole networks; see README.md."""

import argparse
import os
import subprocess
import sys

import numpy as np
import onnxruntime
import torch

import networks


def export(name, exporter, path):
    model, inputs = networks.make(name)
    batch = {k: {0: "N"} for k in inputs}
    outputs = ["y", "z"] if name == "detector" else ["y"]
    if exporter == "script":
        batch.update({k: {0: "N"} for k in outputs})
        torch.onnx.export(model, tuple(inputs.values()), path, opset_version=17, input_names=list(inputs),
                          output_names=outputs, dynamic_axes=batch, dynamo=False)
    else:
        dim = torch.export.Dim("N", min=1, max=64)
        torch.onnx.export(model, tuple(inputs.values()), path, input_names=list(inputs), output_names=outputs,
                          dynamic_shapes=tuple({0: dim} for _ in inputs), dynamo=True, external_data=False)
    return {k: v.numpy() for k, v in inputs.items()}


def run_xinfer(xinfer, path, inputs, work, count):
    engine = os.path.join(work, "compare.engine")
    subprocess.run([xinfer, "build", path, "--fp32", "--max-batch", "2", "-o", engine], check=True, stdout=subprocess.DEVNULL)
    arguments = []
    for name, value in inputs.items():
        np.save(os.path.join(work, name + ".npy"), value)
        arguments.append(f"{name}={os.path.join(work, name)}.npy")
    out = os.path.join(work, "out.npy")
    subprocess.run([xinfer, "run", engine, *arguments, "-o", out], check=True, stdout=subprocess.DEVNULL)
    if count == 1:
        return [np.load(out)]
    return [np.load(os.path.join(work, f"out.{name}.npy")) for name in ("y", "z")]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--xinfer", required=True, help="the program")
    p.add_argument("--work", required=True, help="folder for exports, kept between runs")
    p.add_argument("--networks", default=",".join(networks.NAMES))
    p.add_argument("--exporter", choices=["script", "dynamo"], default="script", help="torch's older or newer exporter")
    p.add_argument("--tolerance", type=float, default=1e-4)
    a = p.parse_args()
    os.makedirs(a.work, exist_ok=True)
    failures = 0
    print(f"{'network':22s} {'relative difference':>20s}")
    for name in a.networks.split(","):
        path = os.path.join(a.work, f"{name}.{a.exporter}.onnx")
        try:
            inputs = export(name, a.exporter, path)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            wanted = session.run(None, inputs)
            got = run_xinfer(a.xinfer, path, inputs, a.work, len(wanted))
            worst = max(float(np.abs(w - g).max() / np.abs(w).max()) for w, g in zip(wanted, got))
            bad = not worst <= a.tolerance
            print(f"{name:22s} {worst:20.2e}{'  TOO LARGE' if bad else ''}", flush=True)
        except Exception as error:  # one network's failure should not hide the others' results
            bad = True
            print(f"{name:22s} failed: {str(error).strip().splitlines()[-1][:160]}", flush=True)
        failures += bad
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
