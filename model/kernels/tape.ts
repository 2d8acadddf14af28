/**
 * Gradients of what tfjs computes. tfjs' own tape makes another tensor of everything that it saves and opens scopes around every kernel and every
 * gradient, which takes a third of a small network's step; this one writes the same things down and no more. Knows no operation: what a
 * gradient is made of is registered with tfjs.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

type Inputs = Record<string, tf.Tensor>;

/** A request to tfjs' engine: a registered kernel, or, by tf.customGrad, a function with its gradient. */
interface Invocation {
  inputs: Inputs;
  kernelName?: string;
  attrs?: tf.NamedAttrMap;
  forwardFunc?: (backend: tf.KernelBackend, save: (saved: tf.Tensor[]) => void) => tf.Tensor;
  backwardsFunc?: (dy: tf.Tensor, saved: tf.Tensor[]) => GradientMap;
}

type GradientMap = Record<string, () => tf.Tensor>;

/** What is used here of the engine beyond its public type. */
interface Engine {
  backend: tf.KernelBackend;
  backendName: string;
  state: { gradientDepth: number; kernelDepth: number; activeScope: { id: number } };
  runKernelFunc?: (invocation: Invocation) => tf.Tensor | tf.Tensor[];
  makeTensorFromTensorInfo(info: tf.TensorInfo): tf.Tensor;
  startScope(): void;
  endScope(results: tf.TensorContainer): void;
}

/** One computation whose result depends on what gradients are asked for. */
interface Entry {
  name: string;
  inputs: Inputs;
  outputs: tf.Tensor[];
  saved: tf.Tensor[];
  gradient?: (dys: tf.Tensor[]) => GradientMap;
}

/**
 * The value of `f` and its gradients; what else `f` made is disposed, unless it is kept.
 *
 * @param f computes f32[] of tensors by tfjs, synchronously
 * @param xs gradients of the value by these; undefined where it does not depend on one
 * @throws Error if the value depends on one of `xs` by a kernel without a gradient
 */
export function gradients(
  f: () => tf.Tensor,
  xs: readonly tf.Tensor[],
): { value: tf.Tensor; gradients: (tf.Tensor | undefined)[] } {
  const engine = tf.engine() as unknown as Engine;
  const found: tf.Tensor[] = [];
  const saved: tf.Tensor[] = [];
  engine.startScope();
  try {
    const dependent = new Set(xs.map(({ id }) => id));
    const { value, tape } = record(engine, f, dependent, saved);
    const slopes = backward(engine, value, tape, dependent, new Set(saved));
    const own = xs.map(({ id }) => slopes.get(id));
    found.push(value, ...own.filter((slope) => slope !== undefined));
    return { value, gradients: own };
  } finally {
    for (const tensor of saved) if (!found.includes(tensor)) tensor.dispose();
    engine.endScope(found);
  }
}

/** Runs `f` and writes down what depends on `dependent`, which grows by the results. What is left, `saved` and the value, is the caller's. */
function record(
  engine: Engine,
  f: () => tf.Tensor,
  dependent: Set<number>,
  saved: tf.Tensor[],
): { value: tf.Tensor; tape: Entry[] } {
  const { state } = engine;
  const tape: Entry[] = [];
  const results: tf.Tensor[] = [];
  engine.startScope();
  const scope = state.activeScope.id;
  const save = (tensor: tf.Tensor) => {
    // Made in this scope or one inside it, as they are numbered; most operations of tfjs end a scope of their own.
    if (tensor.kept || !(tensor.scopeId >= scope)) return;
    saved.push(tf.keep(tensor));
  };
  engine.runKernelFunc = (invocation) => {
    const entry = compute(engine, invocation);
    const { inputs, outputs } = entry;
    if (state.kernelDepth === 0 && Object.values(inputs).some((input) => dependent.has(input?.id))) {
      outputs.forEach(({ id }) => dependent.add(id));
      entry.saved.forEach(save);
      tape.push(entry);
    }
    return entry.several ? outputs : outputs[0];
  };
  state.gradientDepth++;
  try {
    const value = f();
    results.push(value);
    return { value, tape };
  } finally {
    state.gradientDepth--;
    delete engine.runKernelFunc;
    engine.endScope(results);
    saved.forEach((tensor) => tensor.kept = false);
  }
}

function compute(engine: Engine, invocation: Invocation): Entry & { several: boolean } {
  const { kernelName: name, inputs, attrs, forwardFunc, backwardsFunc } = invocation;
  const { backend, state } = engine;
  state.kernelDepth++;
  try {
    if (name === undefined) {
      let saved: tf.Tensor[] = [];
      const [output] = tf.tidy(() => {
        const y = forwardFunc!(backend, (tensors) => saved = tensors);
        return [y, ...saved];
      });
      const gradient = ([dy]: tf.Tensor[]) => backwardsFunc!(dy, saved);
      return { name: "custom", inputs, outputs: [output], saved, gradient, several: false };
    }
    const result = tf.getKernel(name, engine.backendName).kernelFunc({ inputs, attrs, backend });
    const several = Array.isArray(result);
    const outputs = (several ? result : [result]).map((info) =>
      info instanceof tf.Tensor ? info : engine.makeTensorFromTensorInfo(info)
    );
    const config = tf.getGradient(name);
    if (!config) return { name, inputs, outputs, saved: [], several };
    const { inputsToSave = [], outputsToSave = [], saveAllInputs, gradFunc } = config;
    const saved = [
      ...(saveAllInputs ? Object.values(inputs) : inputsToSave.map((input) => inputs[input])),
      ...outputs.filter((_, i) => outputsToSave[i]),
    ];
    const gradient = (dys: tf.Tensor[]) => gradFunc(dys.length > 1 ? dys : dys[0], saved, attrs!) as GradientMap;
    return { name, inputs, outputs, saved, gradient, several };
  } finally {
    state.kernelDepth--;
  }
}

/** Walks the tape back. Gradients of intermediate results and what was saved for them are disposed as soon as nothing asks for them any more. */
function backward(
  engine: Engine,
  value: tf.Tensor,
  tape: readonly Entry[],
  dependent: ReadonlySet<number>,
  own: ReadonlySet<tf.Tensor>,
): Map<number, tf.Tensor> {
  const slopes = new Map([[value.id, tf.ones(value.shape)]]);
  const uses = new Map<tf.Tensor, number>();
  for (const { saved } of tape) {
    for (const tensor of new Set(saved)) if (own.has(tensor)) uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  }
  uses.delete(value);
  for (const { name, inputs, outputs, saved, gradient } of tape.toReversed()) {
    if (!outputs.some(({ id }) => slopes.has(id))) continue;
    if (!gradient) throw new Error(`Cannot compute the gradient of ${name}: it has none`);
    const passed: tf.Tensor[] = [];
    engine.startScope();
    const dys = outputs.map(({ id, shape }) => slopes.get(id) ?? tf.zeros(shape));
    const makers = gradient(dys);
    for (const [input, { id }] of Object.entries(inputs)) {
      if (!dependent.has(id)) continue;
      if (!makers[input]) throw new Error(`Cannot compute the gradient of ${name} by ${input}: it has none`);
      const dx = makers[input]();
      const before = slopes.get(id);
      slopes.set(id, before ? tf.add(before, dx) : dys.includes(dx) ? dx.clone() : dx);
      before?.dispose();
      passed.push(slopes.get(id)!);
    }
    engine.endScope(passed);
    for (const { id } of outputs) {
      slopes.get(id)?.dispose();
      slopes.delete(id);
    }
    for (const tensor of new Set(saved)) {
      const left = (uses.get(tensor) ?? 0) - 1;
      uses.set(tensor, left);
      // A gradient may be a saved tensor, handed on as it was.
      if (left === 0 && !passed.includes(tensor)) tensor.dispose();
    }
  }
  return slopes;
}
