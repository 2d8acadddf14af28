"""PyTorch on the same machine, for comparison: the network's products and attention, and whole training steps of HRM.

    python3 tests/bench/peer.py                                          on the GPU: products, attention, training steps
    python3 tests/bench/peer.py --cpu --threads 2 --shape 256,8,2,100,8  on the processor: training steps of one shape

The last line is JSON. The step is the official one in f32 (what deno task bench --shape times): two levels, 2 x 2 cycles, all calls but the
last of each level under no_grad, ACT with its target from one more segment, stablemax in f64, AdamW over all parameters at once, the sign
rule for the puzzles' rows. Attention is torch's own scaled_dot_product_attention. Nothing is compiled.
"""
import argparse
import json
import math
import statistics
import time

import torch
import torch.nn.functional as F

VOCABULARY = 12
EPSILON = 1e-5


def feed_forward_width(width):
    return -(-round(4 * width * 2 / 3) // 256) * 256


def rms_norm(x):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)


def rotate(x, cos, sin):
    low, high = x.chunk(2, -1)
    return x * cos + torch.cat((-high, low), -1) * sin


class Block(torch.nn.Module):
    """Attention and SwiGLU, each followed by a norm of its sum with what went in."""

    def __init__(self, width, heads):
        super().__init__()
        inner = feed_forward_width(width)
        self.heads = heads
        self.qkv = torch.nn.Linear(width, 3 * width, bias=False)
        self.o = torch.nn.Linear(width, width, bias=False)
        self.gate_up = torch.nn.Linear(width, 2 * inner, bias=False)
        self.down = torch.nn.Linear(inner, width, bias=False)

    def forward(self, h, cos, sin):
        B, T, D = h.shape
        q, k, v = self.qkv(h).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        h = rms_norm(h + self.o(mixed.transpose(1, 2).reshape(B, T, D)))
        gate, up = self.gate_up(h).chunk(2, -1)
        return rms_norm(h + self.down(F.silu(gate) * up))


class Hrm(torch.nn.Module):
    """One segment: 2 x 2 cycles, gradient through the last call of each level."""

    def __init__(self, width, heads, layers, tokens):
        super().__init__()
        self.width = width
        self.embed = torch.nn.Embedding(VOCABULARY, width)
        torch.nn.init.normal_(self.embed.weight, std=width**-0.5)
        self.low = torch.nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.high = torch.nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.lm_head = torch.nn.Linear(width, VOCABULARY, bias=False)
        self.q_head = torch.nn.Linear(width, 2)
        torch.nn.init.zeros_(self.q_head.weight)
        torch.nn.init.constant_(self.q_head.bias, -5)
        half = width // heads // 2
        angles = torch.arange(tokens + 1)[:, None] * 10000 ** (-torch.arange(half) / half)[None]
        self.register_buffer("cos", angles.cos().repeat(1, 2))
        self.register_buffer("sin", angles.sin().repeat(1, 2))
        self.register_buffer("start", torch.randn(2, width))

    def level(self, blocks, h):
        for block in blocks:
            h = block(h, self.cos, self.sin)
        return h

    def forward(self, z_h, z_l, tokens, rows):
        x = math.sqrt(self.width) * torch.cat((rows[:, None], self.embed(tokens)), 1)
        with torch.no_grad():
            for i in range(2):
                for j in range(2):
                    if not (i == j == 1):
                        z_l = self.level(self.low, z_l + (z_h + x))
                if i == 0:
                    z_h = self.level(self.high, z_h + z_l)
        z_l = self.level(self.low, z_l + (z_h + x))
        z_h = self.level(self.high, z_h + z_l)
        return z_h.detach(), z_l.detach(), self.lm_head(z_h)[:, 1:], self.q_head(z_h[:, 0])


def stablemax_loss(logits, labels):
    x = logits.double()
    s = torch.where(x < 0, 1 / (1 - x + 1e-30), x + 1)
    log_p = torch.log(s / s.sum(-1, keepdim=True))
    return -log_p.gather(-1, labels[..., None])[..., 0].mean(-1).sum()


class Training:
    """Random puzzles that are trained on step by step; halted rows start again."""

    def __init__(self, width, heads, layers, tokens, batch, device):
        torch.manual_seed(1)
        self.model = Hrm(width, heads, layers, tokens).to(device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, foreach=True
        )
        self.table = torch.zeros(16, width, device=device)
        self.ids = torch.randint(16, (batch,), device=device)
        self.tokens = torch.randint(VOCABULARY, (batch, tokens), device=device)
        self.labels = torch.randint(VOCABULARY, (batch, tokens), device=device)
        self.z_h = torch.zeros(batch, tokens + 1, width, device=device)
        self.z_l = torch.zeros_like(self.z_h)
        self.halted = torch.ones(batch, dtype=torch.bool, device=device)
        self.segments = torch.zeros(batch, dtype=torch.int32, device=device)

    def step(self):
        model, batch = self.model, len(self.ids)
        again = self.halted[:, None, None]
        z_h = torch.where(again, model.start[0], self.z_h)
        z_l = torch.where(again, model.start[1], self.z_l)
        self.segments = torch.where(self.halted, 0, self.segments) + 1
        rows = self.table[self.ids].requires_grad_()
        self.z_h, self.z_l, logits, q = model(z_h, z_l, self.tokens, rows)
        last = self.segments >= 16
        with torch.no_grad():
            following = model(self.z_h, self.z_l, self.tokens, rows)[3]
            target = torch.sigmoid(torch.where(last, following[:, 0], following.amax(-1)))
            exact = (logits.argmax(-1) == self.labels).all(-1).float()
            least = torch.where(torch.rand_like(target) < 0.1, torch.randint_like(self.segments, 2, 17), 0)
            self.halted = last | ((q[:, 0] > q[:, 1]) & (self.segments >= least))
        halting = F.binary_cross_entropy_with_logits(q, torch.stack((exact, target), -1), reduction="sum")
        loss = (stablemax_loss(logits, self.labels) + 0.5 * halting) / batch
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        ids, slots = self.ids.unique(return_inverse=True)
        sums = torch.zeros(len(ids), rows.shape[1], device=rows.device).index_add_(0, slots, rows.grad)
        self.table[ids] = self.table[ids] * (1 - 1e-2 * 0.1) - 1e-2 * sums.sign()
        return loss.item()


def flop_of_step(width, heads, layers, tokens, batch):
    """Operations of the products and of attention: six calls of a level, six for the target, twice two backward."""
    T, inner = tokens + 1, feed_forward_width(width)
    block = 2 * T * (4 * width * width + 3 * width * inner) + 4 * T * T * width
    return batch * block * layers * 16


def time_steps(shape, device, seconds):
    training = Training(*shape, device)
    for _ in range(2):
        training.step()
    times = []
    begin = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        loss = training.step()  # reads the loss, so that a GPU is waited for
        times.append((time.perf_counter() - start) * 1000)
    if not math.isfinite(loss):
        raise RuntimeError(f"the loss is {loss}")
    ms = statistics.median(times)
    return rounded({"step_ms": ms, "best_step_ms": min(times), "gflops": flop_of_step(*shape) / ms / 1e6})


def time_queued(call, least):
    """Milliseconds of one call, the median of three queues of at least so many milliseconds, by the GPU's own events where there are any."""

    def queue(calls):
        if not torch.cuda.is_available():
            start = time.perf_counter()
            for _ in range(calls):
                call()
            return (time.perf_counter() - start) * 1000
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)

    queue(2)
    calls, ms = 1, queue(1)
    while ms < least:
        calls = math.ceil(calls * min(20, max(1.2, 1.2 * least / max(ms, 0.01))))
        ms = queue(calls)
    return statistics.median([ms, queue(calls), queue(calls)]) / calls


def rounded(values):
    return {name: float(f"{value:.4g}") for name, value in values.items()}


def guarded(measure):
    """What was measured, or what went wrong: the rest goes on."""
    try:
        return measure()
    except Exception as error:
        return {"failed": str(error).split("\n")[0][:300]}
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def measured(call, flop, least):
    ms = time_queued(call, least)
    return rounded({"ms": ms, "tflops": flop / ms / 1e9})


def products(M, N, K, dtype, device, least):
    x, W, dy = (torch.randn(shape, device=device, dtype=dtype) for shape in ((M, K), (N, K), (M, N)))
    flop = 2 * M * N * K
    return {
        "x W^T": measured(lambda: x @ W.T, flop, least),
        "dy W": measured(lambda: dy @ W, flop, least),
        "dy^T x": measured(lambda: dy.T @ x, flop, least),
    }


def explicit_attention(q, k, v):
    return torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1) @ v


def attention(f, T, N, K, B, dtype, device, least):
    """Two products forward and five backward are counted; without rotation."""
    q, k, v = (torch.randn(B, N, T, K, device=device, dtype=dtype, requires_grad=True) for _ in range(3))
    product = 2 * B * N * T * T * K
    with torch.no_grad():
        forward = measured(lambda: f(q, k, v), 2 * product, least)
    output = f(q, k, v)
    dy = torch.randn_like(output)
    gradient = lambda: torch.autograd.grad(output, (q, k, v), dy, retain_graph=True)
    return {"forward": forward, "backward": measured(gradient, 5 * product, least)}


def gpu(quick):
    """Prints products, attention and steps in each precision."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not quick:
        raise SystemExit("peer.py: no GPU that PyTorch can use (for the processor: --cpu)")
    rows = 64 if quick else 32 * 901
    weights = [(48, 16)] if quick else [(1536, 512), (512, 512), (3072, 512), (512, 1536)]
    attentions = [(5, 2, 8, 2)] if quick else [(901, 8, 64, 32), (26, 4, 32, 768), (108, 4, 16, 64)]
    shapes = [(16, 2, 1, 4, 2)] if quick else [(512, 8, 4, 900, 32), (512, 8, 4, 900, 8), (512, 8, 4, 900, 4), (128, 4, 2, 36, 768)]
    least, seconds = (1, 0.01) if quick else (200, 2)
    result = {"torch": torch.__version__, "device": torch.cuda.get_device_name() if device == "cuda" else device}
    for precision, dtype in (("f32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16)):
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        own = result[precision] = {"products": {}, "attention": {}, "steps": {}}
        for N, K in weights:
            own["products"][f"{rows}x{N}x{K}"] = guarded(lambda: products(rows, N, K, dtype, device, least))
        for shape in attentions:
            own["attention"]["T={} N={} K={} B={}".format(*shape)] = {
                "sdpa": guarded(lambda: attention(F.scaled_dot_product_attention, *shape, dtype, device, least)),
                "explicit": guarded(lambda: attention(explicit_attention, *shape, dtype, device, least)),
            }
        for shape in shapes if dtype == torch.float32 else []:
            own["steps"][",".join(map(str, shape))] = guarded(lambda: time_steps(shape, device, seconds))
        # Each line holds all before it: a run cut off leaves what it measured.
        print(json.dumps(result), flush=True)


def shape_of(text):
    numbers = tuple(map(int, text.split(",")))
    width, heads, layers, tokens, batch = numbers
    if min(numbers) < 1 or width % heads:
        raise ValueError
    return numbers


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cpu", action="store_true", help="training steps on the processor")
    parser.add_argument("--threads", type=int, default=2, help="with --cpu; default: 2")
    parser.add_argument("--shape", type=shape_of, metavar="WIDTH,HEADS,LAYERS,TOKENS,BATCH", help="with --cpu")
    parser.add_argument("--quick", action="store_true", help="sizes and times that say nothing, for trying it out")
    given = parser.parse_args()
    if not given.cpu:
        gpu(given.quick)
        return
    if not given.shape:
        parser.error("--cpu needs --shape")
    torch.set_num_threads(given.threads)
    step = time_steps(given.shape, "cpu", 0.1 if given.quick else 10)
    shape = ",".join(map(str, given.shape))
    print(json.dumps({"shape": shape, **step, "torch": torch.__version__, "threads": given.threads}))


if __name__ == "__main__":
    main()
