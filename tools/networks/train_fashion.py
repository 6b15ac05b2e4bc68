"""Trains a small network on Fashion-MNIST and exports it to ONNX: what models/README.md lists is made so; see README.md.

se_silu    inverted residuals with squeeze-excite and SiLU, like EfficientNet's
tiny_vit   a pre-norm vision transformer: two convolutions to 64 tokens, GELU, mean over the tokens

Images are 28x28 grey, zero-padded to 32x32, scaled to [0, 1], normalized, and repeated to three channels. The ONNX file
takes `input` (batch, 3, 32, 32) and gives `logits` (batch, 10), opset 17. Runs on the CPU.
"""

import argparse
import gzip
import os
import time

import numpy as np
import torch
import torch.nn as nn

MEAN, STD = 0.2860, 0.3530


class SqueezeExcite(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.down, self.up = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.act = nn.SiLU()

    def forward(self, x):
        return x * torch.sigmoid(self.up(self.act(self.down(self.pool(x)))))


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise, squeeze-excite, 1x1 projection; Tan and Le, arXiv 1905.11946."""

    def __init__(self, inputs, outputs, expand, kernel, stride):
        super().__init__()
        wide = inputs * expand
        layers = []
        if expand > 1:
            layers += [nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU()]
        layers += [nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.SiLU()]
        layers += [SqueezeExcite(wide, max(8, inputs // 4)), nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


class SeSilu(nn.Module):
    # outputs, expansion, kernel, stride
    BLOCKS = [(16, 1, 3, 1), (24, 3, 3, 2), (24, 3, 3, 1), (40, 4, 5, 1), (40, 3, 5, 1), (64, 4, 3, 2), (64, 4, 3, 1)]

    def __init__(self, classes=10, stem=16, head=256):
        super().__init__()
        layers = [nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.SiLU()]
        width = stem
        for outputs, expand, kernel, stride in self.BLOCKS:
            layers.append(InvertedResidual(width, outputs, expand, kernel, stride))
            width = outputs
        layers += [nn.Conv2d(width, head, 1, bias=False), nn.BatchNorm2d(head), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.1), nn.Linear(head, classes))

    def forward(self, x):
        return self.classifier(self.pool(self.features(x)).flatten(1))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.depth = heads, width // heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        n, s, d = x.shape

        def split(t):
            return t.reshape(n, s, self.heads, self.depth).transpose(1, 2)

        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        if self.training:  # the same arithmetic in one kernel
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            mixed = (q @ k.transpose(-1, -2) * self.depth**-0.5).softmax(-1) @ v
        return self.o(mixed.transpose(1, 2).reshape(n, s, d))


class EncoderLayer(nn.Module):
    def __init__(self, width, heads, ratio):
        super().__init__()
        self.n1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.n2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x):
        x = x + self.attention(self.n1(x))
        return x + self.down(nn.functional.gelu(self.up(self.n2(x))))


class TinyVit(nn.Module):
    """Dosovitskiy et al., arXiv 2010.11929, with the mean of the tokens instead of a class token.

    Two convolutions with stride 2 stand for the patches' projection, which trains faster (Xiao et al., arXiv 2106.14881).
    Training may drop tokens (Liu et al., arXiv 2208.07220), which halves its time; the last epoch sees all of them.
    """

    def __init__(self, classes=10, tokens=64, width=96, depth=4, heads=4, ratio=2):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.GELU(), nn.Conv2d(32, width, 3, 2, 1))
        self.positions = nn.Parameter(torch.randn(1, tokens, width) * 0.02)
        self.layers = nn.Sequential(*(EncoderLayer(width, heads, ratio) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)
        self.dropped = 0.0

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2) + self.positions
        if self.training and self.dropped > 0:
            n, s, d = x.shape
            kept = torch.rand(n, s).argsort(1)[:, :round(s * (1 - self.dropped))]
            x = x.gather(1, kept[:, :, None].expand(-1, -1, d))
        return self.head(self.norm(self.layers(x)).mean(1))


# network, largest learning rate, weight decay, default epochs
NETWORKS = {"se_silu": (SeSilu, 4e-3, 0.02, 8), "tiny_vit": (TinyVit, 1e-3, 0.05, 8)}


def read(folder, name, header):
    with gzip.open(os.path.join(folder, name + ".gz")) as f:
        return np.frombuffer(f.read(), np.uint8, offset=header)


def load(folder, split):
    """Images (count, 32, 32) uint8 and labels (count)."""
    images = read(folder, f"{split}-images-idx3-ubyte", 16).reshape(-1, 28, 28)
    labels = read(folder, f"{split}-labels-idx1-ubyte", 8).astype(np.int64)
    return torch.from_numpy(np.pad(images, ((0, 0), (2, 2), (2, 2)))), torch.from_numpy(labels)


def prepare(images):
    return (((images / 255.0) - MEAN) / STD)[:, None].expand(-1, 3, -1, -1).contiguous()


def augment(images, generator):
    """Each image moved by up to two pixels in each direction, half of them mirrored."""
    n = len(images)
    padded = nn.functional.pad(images, (2, 2, 2, 2))
    step = torch.arange(32)
    rows = torch.randint(0, 5, (n, 1), generator=generator) + step
    columns = torch.randint(0, 5, (n, 1), generator=generator) + step
    mirrored = torch.rand((n, 1), generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def accuracy(net, images, labels):
    net.eval()
    hits = 0
    with torch.no_grad():
        for i in range(0, len(images), 500):
            hits += int((net(prepare(images[i:i + 500])).argmax(1) == labels[i:i + 500]).sum())
    return 100.0 * hits / len(images)


def train(net, data, args, rate, decay):
    images, labels = data["train"]
    weights = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}], lr=rate)
    steps = len(images) // args.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=args.epochs * steps, pct_start=0.2)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    generator = torch.Generator().manual_seed(args.seed)
    started = time.time()
    for epoch in range(args.epochs):
        net.train()
        if isinstance(net, TinyVit):
            net.dropped = 0.5 if epoch + 1 < args.epochs else 0.0
        order, total = torch.randperm(len(images), generator=generator), 0.0
        for step in range(steps):
            pick = order[step * args.batch:(step + 1) * args.batch]
            loss = loss_of(net(prepare(augment(images[pick], generator))), labels[pick])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
            if step % 50 == 49:
                print(f"\repoch {epoch + 1}/{args.epochs} step {step + 1}/{steps} loss {total / (step + 1):.4f} "
                      f"{time.time() - started:.0f} s", end="", flush=True)
        print(f"\repoch {epoch + 1}/{args.epochs} loss {total / steps:.4f} "
              f"test {accuracy(net, *data['test']):.2f} % {time.time() - started:.0f} s", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("network", choices=NETWORKS)
    p.add_argument("-o", "--output", required=True, help="ONNX file to write; the weights go beside it as .pt")
    p.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of the four .gz files")
    p.add_argument("--epochs", type=int, help="default: 8")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1, help="sums differ with the number of threads")
    p.add_argument("--weights", help="export these weights instead of training")
    args = p.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    make, rate, decay, epochs = NETWORKS[args.network]
    args.epochs = args.epochs or epochs
    net = make()
    print(f"{args.network}: {sum(p.numel() for p in net.parameters())} parameters", flush=True)
    data = {"train": load(args.data, "train"), "test": load(args.data, "t10k")}
    if args.weights:
        net.load_state_dict(torch.load(args.weights, weights_only=True))
    else:
        train(net, data, args, rate, decay)
        torch.save(net.state_dict(), os.path.splitext(args.output)[0] + ".pt")
    print(f"test {accuracy(net, *data['test']):.2f} %")
    net.eval()
    torch.onnx.export(net, (prepare(data["test"][0][:2]),), args.output, opset_version=17, input_names=["input"],
                      output_names=["logits"], dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}}, dynamo=False)


if __name__ == "__main__":
    main()
