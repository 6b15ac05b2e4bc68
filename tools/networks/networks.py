"""The networks that compare.py exports: torchvision's, a BERT encoder, and a detection head."""

import torch
import torch.nn as nn
import torchvision

VISION = [
    "resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "vgg11", "densenet121",
    "convnext_tiny", "vit_b_16", "swin_t",
]
NAMES = VISION + ["efficientnet_lite0", "bert_encoder", "detector"]


class EfficientNetLite(nn.Module):
    """EfficientNet-B0 without squeeze-excite and with ReLU6: the Lite0 changes, applied to torchvision's network."""

    def __init__(self):
        super().__init__()
        self.net = torchvision.models.efficientnet_b0(weights=None)
        self._edit(self.net)

    def _edit(self, module):
        for name, child in module.named_children():
            if isinstance(child, nn.SiLU):
                setattr(module, name, nn.ReLU6())
            elif type(child).__name__ == "SqueezeExcitation":
                setattr(module, name, nn.Identity())
            else:
                self._edit(child)

    def forward(self, x):
        return self.net(x)


class BertEncoder(nn.Module):
    """Embeddings with positions and a padding mask, then post-norm encoder layers with GELU."""

    def __init__(self, layers=4, width=256, heads=4, sequence=64, words=1000):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Parameter(torch.randn(sequence, width) * 0.02)
        self.heads = heads
        self.layers = nn.ModuleList(
            nn.ModuleDict({
                "q": nn.Linear(width, width), "k": nn.Linear(width, width), "v": nn.Linear(width, width),
                "o": nn.Linear(width, width), "n1": nn.LayerNorm(width), "up": nn.Linear(width, 4 * width),
                "down": nn.Linear(4 * width, width), "n2": nn.LayerNorm(width)
            }) for _ in range(layers))

    def forward(self, ids, mask):
        x = self.words(ids) + self.positions
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            n, s, d = x.shape

            def split(t):
                return t.reshape(n, s, self.heads, d // self.heads).transpose(1, 2)

            q, k, v = (split(layer[i](x)) for i in "qkv")
            scores = q @ k.transpose(-1, -2) / (d // self.heads) ** 0.5 + bias
            mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, s, d)
            x = layer["n1"](x + layer["o"](mixed))
            x = layer["n2"](x + layer["down"](nn.functional.gelu(layer["up"](x))))
        return x


class Detector(nn.Module):
    """The shapes of a one-stage detector: C2f-like blocks, upsampling, concatenation, distribution focal loss, top-k."""

    def __init__(self, classes=8, bins=16):
        super().__init__()

        def conv(i, o, k=3, s=1):
            return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o), nn.SiLU())

        self.stem, self.down = conv(3, 16, 3, 2), conv(16, 32, 3, 2)
        self.inner = conv(16, 16)
        self.mix = conv(48, 32, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.spp = conv(64, 32, 1)
        self.deep = conv(32, 48, 3, 2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.fuse = conv(80, 32, 1)
        self.boxes = nn.ModuleList([nn.Conv2d(32, 4 * bins, 1), nn.Conv2d(48, 4 * bins, 1)])
        self.scores = nn.ModuleList([nn.Conv2d(32, classes, 1), nn.Conv2d(48, classes, 1)])
        self.bins, self.classes = bins, classes

    def forward(self, x):
        x = self.down(self.stem(x))
        a, b = x.chunk(2, 1)
        x = self.mix(torch.cat([a, b, b + self.inner(b)], 1))
        x = self.spp(torch.cat([x, self.pool(x)], 1))
        deep = self.deep(x)
        x = self.fuse(torch.cat([x, self.up(deep)], 1))
        boxes, scores = [], []
        for i, feature in enumerate((x, deep)):
            boxes.append(self.boxes[i](feature).flatten(2))
            scores.append(self.scores[i](feature).flatten(2))
        boxes, scores = torch.cat(boxes, 2), torch.cat(scores, 2).sigmoid()
        n, _, count = boxes.shape
        weights = torch.arange(self.bins, dtype=torch.float32).view(1, 1, self.bins, 1)
        distances = (boxes.view(n, 4, self.bins, count).softmax(2) * weights).sum(2)
        low, high = distances.split(2, 1)
        boxes = torch.cat([(high - low) / 2, low + high], 1)
        best, index = scores.amax(1).topk(10, 1)
        picked = boxes.gather(2, index[:, None, :].expand(-1, 4, -1))
        return picked, best


def make(name):
    """The network and example inputs for a batch of two."""
    torch.manual_seed(0)
    image = torch.randn(2, 3, 224, 224)
    if name == "bert_encoder":
        mask = torch.ones(2, 64, dtype=torch.int64)
        mask[1, 40:] = 0
        return BertEncoder().eval(), {"ids": torch.randint(0, 1000, (2, 64)), "mask": mask}
    if name == "detector":
        return settle(Detector(), torch.randn(4, 3, 128, 128)), {"x": torch.randn(2, 3, 128, 128)}
    if name == "efficientnet_lite0":
        return settle(EfficientNetLite(), image), {"x": image}
    model = getattr(torchvision.models, name)(weights=None)
    if name == "vit_b_16":
        nn.init.normal_(model.heads.head.weight, std=0.05)
    return settle(model, image), {"x": image}


def settle(model, example):
    """Sets the statistics of batch norms by a forward pass, so that activations keep a realistic range."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    if norms:
        model.train()
        for m in model.modules():
            if isinstance(m, (nn.Dropout, torchvision.ops.StochasticDepth)):
                m.eval()
        with torch.no_grad():
            model(example)
    return model.eval()
