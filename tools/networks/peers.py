"""INT8 models by ONNX Runtime and by NNCF with OpenVINO, measured like xInfer's on the same data; see README.md.

Systems:
  ort_{s8,u8}_{minmax,entropy,percentile}  static QDQ, INT8 weights per channel; activations symmetric int8, or uint8
  ort_dynamic                              ranges of activations found while running; matrix products only
  nncf, nncf_accurate                      default, and accurate, bias correction
Writes one JSON object a system to --out, and keeps those that it finds there (delete the file to measure again).
"""

import argparse
import contextlib
import glob
import io
import json
import logging
import os
import sys
import tempfile
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
SYSTEMS = ["ort_s8_minmax", "ort_s8_entropy", "ort_s8_percentile", "nncf", "nncf_accurate"]


class Data:
    """Named inputs, one array each, and labels where the folder has a sub-folder for every class."""

    def __init__(self, inputs, labels=None):
        self.inputs, self.labels = inputs, labels
        self.count = len(next(iter(inputs.values())))

    def batches(self, size):
        return [{k: v[i:i + size] for k, v in self.inputs.items()} for i in range(0, self.count, size)]


def read_images(folder, name, scale, mean, std):
    from PIL import Image
    classes = sorted(d for d in os.listdir(folder) if os.path.isdir(os.path.join(folder, d)))
    groups = [(i, os.path.join(folder, c)) for i, c in enumerate(classes)] or [(0, folder)]
    images, labels = [], []
    for label, group in groups:
        for path in sorted(glob.glob(os.path.join(group, "*.png"))):
            pixels = np.asarray(Image.open(path).convert("RGB"), np.float32).transpose(2, 0, 1) / 255
            images.append((pixels * scale - mean) / std)
            labels.append(label)
    return Data({name: np.stack(images).astype(np.float32)}, np.array(labels) if classes else None)


def read_data(a, split, first_input):
    source = getattr(a, split)
    if os.path.isdir(source[0]):
        mean, std = (np.array([float(x) for x in text.split(",")], np.float32).reshape(3, 1, 1) for text in (a.mean, a.std))
        return read_images(source[0], first_input, a.pixel_scale, mean, std)
    return Data({k: np.load(path) for k, path in (item.split("=", 1) for item in source)})


def ort_outputs(path, data, batch):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, x)[0] for x in data.batches(batch)])


def ort_system(system, a, calib, test, work):
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process
    prepared, made = os.path.join(work, "prepared.onnx"), os.path.join(work, "quantized.onnx")
    quant_pre_process(a.model, prepared, skip_symbolic_shape=a.text)
    if system == "ort_dynamic":
        q.quantize_dynamic(prepared, made, per_channel=True, weight_type=q.QuantType.QInt8)
        return ort_outputs(made, test, 1)  # its ranges would be those of the whole batch
    _, kind, method = system.split("_")
    samples = calib.batches(1)

    class Reader(q.CalibrationDataReader):
        """One sample at a time; the histograms take a stride of them at once, which bounds their memory."""

        def __init__(self):
            self.set_range(0, len(samples))

        def __len__(self):
            return len(samples)

        def set_range(self, start_index, end_index):
            self.left = iter(samples[start_index:end_index])

        def get_next(self):
            return next(self.left, None)

    extra = {"ActivationSymmetric": kind == "s8"}
    if method != "minmax":
        extra["CalibStridedMinMax"] = max(n for n in range(1, 17) if len(samples) % n == 0)
    q.quantize_static(prepared, made, Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True, weight_type=q.QuantType.QInt8,
                      activation_type=q.QuantType.QInt8 if kind == "s8" else q.QuantType.QUInt8, extra_options=extra,
                      calibrate_method={"minmax": q.CalibrationMethod.MinMax, "entropy": q.CalibrationMethod.Entropy,
                                        "percentile": q.CalibrationMethod.Percentile}[method])
    return ort_outputs(made, test, a.batch)


def nncf_system(system, a, calib, test):
    import nncf
    import openvino
    nncf.set_log_level(40)
    model = openvino.convert_model(a.model)
    made = nncf.quantize(model, nncf.Dataset(calib.batches(1)), subset_size=calib.count, fast_bias_correction=system == "nncf",
                         preset=nncf.QuantizationPreset.PERFORMANCE if system == "nncf_accurate" else None,
                         model_type=nncf.ModelType.TRANSFORMER if a.transformer else None)
    # INT8 layers stay so; the others run in float32, not bfloat16
    compiled = openvino.Core().compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([np.array(compiled(x)[0]) for x in test.batches(a.batch)])


def compare(reference, got, labels):
    """The figures of `xinfer validate --json`."""
    reference, got = reference.astype(np.float64), got.astype(np.float64)
    same = reference.argmax(1) == got.argmax(1)
    p = np.exp(reference - reference.max(1, keepdims=True))
    p = np.sort(p / p.sum(1, keepdims=True), 1)
    clear = p[:, -1] - p[:, -2] >= 0.1
    cosine = (reference * got).sum(1) / np.sqrt((reference**2).sum(1) * (got**2).sum(1))
    row = {
        "samples": len(got), "agreement": 100 * same.mean(), "clear": int(clear.sum()), "cosine_mean": cosine.mean(), "cosine_min": cosine.min(),
        "sqnr_db": 10 * np.log10((reference**2).sum() / ((reference - got)**2).sum())
    }
    if clear.any():
        row["agreement_clear"] = 100 * same[clear].mean()
    if labels is not None:
        top1 = [100 * float((x.argmax(1) == labels).mean()) for x in (reference, got)]
        row.update(reference={"top1": top1[0]}, engine={"top1": top1[1]}, drop=top1[0] - top1[1])
    return {k: float(v) if isinstance(v, np.floating) else v for k, v in row.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--calib", nargs="+", required=True, help="a folder of PNG images, or input=file.npy for each input")
    p.add_argument("--eval", nargs="+", required=True, help="the same, to measure on")
    p.add_argument("--pixel-scale", type=float, default=1)
    p.add_argument("--mean", default="0,0,0")
    p.add_argument("--std", default="1,1,1")
    p.add_argument("--batch", type=int, default=50, help="to measure with; calibration takes one sample at a time")
    p.add_argument("--transformer", action="store_true", help="tell NNCF so")
    p.add_argument("--systems", default=",".join(SYSTEMS))
    p.add_argument("--out", required=True)
    a = p.parse_args()
    import onnx
    first_input = onnx.load(a.model, load_external_data=False).graph.input[0].name
    rows = {}
    if os.path.exists(a.out):
        with open(a.out, encoding="utf-8") as f:
            rows = {r["system"]: r for r in map(json.loads, f)}
    wanted = [s for s in a.systems.split(",") if s not in rows]
    if not wanted:
        return
    calib, test = (read_data(a, split, first_input) for split in ("calib", "eval"))
    a.text = not os.path.isdir(a.calib[0])
    reference = ort_outputs(a.model, test, a.batch)
    for system in wanted:
        started = time.time()
        print(f"{os.path.basename(a.model)} {system} ...", end="", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as work, contextlib.redirect_stdout(io.StringIO()):  # they narrate
            got = ort_system(system, a, calib, test, work) if system.startswith("ort_") else nncf_system(system, a, calib, test)
        row = {"system": system, "seconds": round(time.time() - started, 1), **compare(reference, got.reshape(reference.shape), test.labels)}
        print(f" {row['seconds']:.0f} s", file=sys.stderr, flush=True)
        with open(a.out, "a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
