"""Times xInfer's INT8 and FP16 engines beside PyTorch's FP16 on one GPU, in one run; see docs/performance.md.

Networks have random weights (batch norm statistics from a forward pass): this measures speed only. xInfer's time is
the device's for one CUDA graph; PyTorch's is the best of a CUDA graph over eager mode, frozen TorchScript under a CUDA
graph, and torch.compile, each channels-last where that helps. Rounds alternate between all of them; medians count.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "networks"))
import networks  # noqa: E402

torch.backends.cudnn.benchmark = True
SEQUENCE, WORDS = 384, 30522


def make(name):
    """The network, its example inputs for a batch of two, and what PyTorch is timed with (a network, a maker of inputs)."""
    if name == "bert_base":
        model = networks.BertEncoder(layers=12, width=768, heads=12, sequence=SEQUENCE, words=WORDS).eval()
        ids = torch.randint(0, WORDS, (2, SEQUENCE))
        inputs = {"ids": ids, "mask": torch.ones_like(ids)}
        from transformers import BertConfig, BertModel

        return model, inputs, BertModel(BertConfig(attn_implementation="sdpa")).eval(), lambda b: torch.randint(
            0, 30000, (b, SEQUENCE), device="cuda")
    model, inputs = networks.make(name)
    return model, inputs, model, lambda b: torch.randn(b, 3, 224, 224, device="cuda", dtype=torch.half).contiguous(
        memory_format=torch.channels_last)


def export(model, inputs, path):
    """Networks are exported once; delete the file to have it made again."""
    batch = {k: {0: "N"} for k in inputs}
    batch["y"] = {0: "N"}
    torch.onnx.export(model, tuple(inputs.values()), path + ".part", opset_version=17, input_names=list(inputs),
                      output_names=["y"], dynamic_axes=batch, dynamo=False)
    os.rename(path + ".part", path)


def build(a, name, inputs, path):
    """INT8 and FP16 engines; returns their paths and the seconds that each build took."""
    engines = {}
    common = ["--device", "cuda", "--max-batch", str(max(a.batches)), "--batches", ",".join(map(str, a.batches))]
    arrays = []
    for key, value in inputs.items():
        data = np.concatenate([value.numpy()] * 4)
        if data.dtype == np.float32:
            data = np.random.default_rng(0).standard_normal(data.shape, dtype=np.float32)
        np.save(os.path.join(a.work, f"{name}.{key}.npy"), data)
        arrays += ["--calib-npy", f"{key}=" + os.path.join(a.work, f"{name}.{key}.npy")]
    for precision, extra in (("int8", ["--int8", "--check", "4", "--effort", "0", *arrays]), ("fp16", ["--fp16"])):
        engine = os.path.join(a.work, f"{name}.{precision}.engine")
        command = [a.xinfer, "build", path, *extra, *common, "--json", "-o", engine]
        if a.no_tune:
            command.append("--no-tune")
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(result.stderr.strip()[-600:])
        report = json.loads(result.stdout)
        engines[precision] = engine
        print(f"{name} {precision}: built in", {k: round(v, 1) for k, v in report["seconds"].items()},
              "SQNR", report.get("accuracy", {}).get("sqnr_db"), flush=True)
    return engines


def time_xinfer(a, engine, batch):
    result = subprocess.run([a.xinfer, "bench", engine, "--batch", str(batch), "--seconds", str(a.seconds), "--json",
                             "--device", "cuda"], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip()[-600:])
    return json.loads(result.stdout)["device_ms"]


def graphed(model, x):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), torch.no_grad():
        for _ in range(5):
            model(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        output = model(x)

    def replay(keep=(model, x, output)):  # the graph holds their addresses, not them
        graph.replay()

    return replay


def peer(variant, model, x):
    """A function that runs one batch."""
    model = model.half().cuda().to(memory_format=torch.channels_last)
    if variant == "graph":
        return graphed(model, x)
    if variant == "script":
        with torch.no_grad():
            return graphed(torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x, strict=False))), x)
    import torch._inductor.config as inductor

    inductor.freezing = True
    torch._dynamo.reset()
    compiled = torch.compile(model, mode="reduce-overhead")

    def run():
        with torch.no_grad():
            compiled(x)

    for _ in range(5):
        run()
    return run


def time_peer(run, seconds):
    torch.cuda.synchronize()
    samples, spent = [], 0.0
    while spent < seconds * 1e3 or len(samples) < 5:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(5):
            run()
        end.record()
        torch.cuda.synchronize()
        samples.append(begin.elapsed_time(end) / 5)
        spent += begin.elapsed_time(end)
    return statistics.median(samples)


def measure(a, name, engines, batch, peers):
    samples = {k: [] for k in [*engines, *peers]}
    for _ in range(a.rounds):
        for precision, engine in engines.items():
            samples[precision].append(time_xinfer(a, engine, batch))
        for variant, run in peers.items():
            samples[variant].append(time_peer(run, a.seconds))
    row = {"network": name, "batch": batch, **{k: statistics.median(v) for k, v in samples.items() if v}}
    best = min((row[v] for v in peers), default=None)
    line = f"{name:20s} {batch:5d}"
    for key in [*engines, *peers]:
        line += f"  {key} {row[key]:.3f} ms {batch * 1e3 / row[key]:.0f}/s"
    if best and "int8" in row:
        line += f"  int8 {best / row['int8']:.2f}x, fp16 {best / row['fp16']:.2f}x the best peer"
    if "int8" in row:
        line += f"  int8/fp16 {row['fp16'] / row['int8']:.2f}x"
    print(line, flush=True)
    return row


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--xinfer", required=True, help="the program")
    p.add_argument("--work", required=True, help="folder for exports and engines")
    p.add_argument("--out", default="gpu_bench.json")
    p.add_argument("--networks", default="resnet18,resnet50,mobilenet_v2,vit_b_16,bert_base")
    p.add_argument("--batches", default="1,32,256", type=lambda t: [int(x) for x in t.split(",")])
    p.add_argument("--variants", default="graph,script,compile", help="of PyTorch; empty: none")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    p.add_argument("--no-tune", action="store_true")
    p.add_argument("--export-only", action="store_true", help="only make the ONNX files")
    a = p.parse_args()
    os.makedirs(a.work, exist_ok=True)
    rows, failures = [], 0
    for name in a.networks.split(","):
        try:
            model, inputs, torch_model, make_input = make(name)
            path = os.path.join(a.work, name + ".onnx")
            if not os.path.exists(path):
                export(model, inputs, path)
            if a.export_only:
                continue
            engines = build(a, name, inputs, path)
            for batch in a.batches:
                peers = {}
                for variant in filter(None, a.variants.split(",")):
                    try:
                        peers[variant] = peer(variant, torch_model, make_input(batch))
                    except Exception as error:  # one variant's failure should not hide the others
                        print(f"{name} {batch} {variant}: {str(error)[:200]}", flush=True)
                rows.append(measure(a, name, engines, batch, peers))
                with open(a.out, "w") as file:
                    json.dump({"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "rows": rows}, file,
                              indent=1)
        except Exception as error:  # one network's failure should not hide the others' results
            failures += 1
            print(f"{name} FAILED: {error}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
