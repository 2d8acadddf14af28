/**
 * How an operation of this project becomes a tfjs kernel: a name, a composition of stock operations that every backend can run, and a gradient
 * made of other operations. A backend that has something faster registers it under the same name. Knows no network.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** Named input tensors of an operation. */
export type Inputs = Record<string, tf.Tensor>;
/** Plain values that an operation is given beside its tensors. */
// deno-lint-ignore no-explicit-any -- the attributes' types belong to each operation
export type Attributes = Record<string, any>;

interface Definition {
  composition: (inputs: Inputs, attributes: Attributes) => tf.Tensor[];
}

const definitions = new Map<string, Definition>();

/**
 * Defines an operation.
 *
 * @param name the kernel's name
 * @param composition its value in stock tfjs operations: fresh tensors; intermediates are tidied away by the caller
 * @param gradient which inputs and outputs to save, and the gradients by input name
 */
export function defineOperation(
  name: string,
  composition: Definition["composition"],
  gradient?: {
    inputs: string[];
    outputs?: boolean[];
    gradients: (
      dy: tf.Tensor[],
      saved: tf.Tensor[],
      attributes: Attributes,
    ) => Record<string, () => tf.Tensor>;
  },
): void {
  definitions.set(name, { composition });
  if (!gradient) return;
  tf.registerGradient({
    kernelName: name,
    inputsToSave: gradient.inputs,
    outputsToSave: gradient.outputs ?? [],
    gradFunc: (dy, saved, attributes) =>
      gradient.gradients(Array.isArray(dy) ? dy : [dy], saved, attributes as Attributes),
  });
}

/** Runs an operation on the current backend, recorded for the gradient like any tfjs operation. */
export function run(name: string, inputs: Inputs, attributes: Attributes = {}): tf.Tensor[] {
  const outputs = tf.engine().runKernel(name, inputs, attributes) as tf.Tensor | tf.Tensor[];
  return Array.isArray(outputs) ? outputs : [outputs];
}

/**
 * Runs `forward` as if it were one operation: nothing inside it is recorded, and its gradient is `backward`. Unlike the outputs of an operation,
 * what it saves needs no gradient of its own.
 *
 * @param inputs what gradients are made for
 * @param forward the value and what `backward` takes
 * @param backward the gradients of the inputs, in order
 */
export function differentiable(
  inputs: tf.Tensor[],
  forward: () => { value: tf.Tensor; saved: tf.Tensor[] },
  backward: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[],
): tf.Tensor {
  return tf.customGrad((...given) => {
    const { value, saved } = forward();
    (given.at(-1) as unknown as tf.GradSaveFunc)(saved);
    return { value, gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => backward(dy, saved) };
  })(...inputs);
}

/** Whether tfjs is writing operations down for a gradient. */
export function recording(): boolean {
  const { gradientDepth, kernelDepth } = tf.engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/**
 * Runs `f` unrecorded, inside or outside a gradient: what it returns is a constant. tfjs has no stopGradient; it records nothing while it
 * believes itself inside a kernel.
 */
export function withoutGradient<T extends tf.TensorContainer>(f: () => T): T {
  const { state } = tf.engine();
  state.kernelDepth++;
  try {
    return tf.tidy(f);
  } finally {
    state.kernelDepth--;
  }
}

/** An operation's composition in stock operations, run directly; for judging kernels. */
export function compose(name: string, inputs: Inputs, attributes: Attributes = {}): tf.Tensor[] {
  const outputs: tf.Tensor[] = [];
  tf.tidy(() => {
    outputs.push(...definitions.get(name)!.composition(inputs, attributes));
    return outputs;
  });
  return outputs;
}

/** Registers the composition of every operation for which `backend` has no kernel of its own. */
export function registerCompositions(backend: string): void {
  for (const name of definitions.keys()) {
    if (tf.getKernel(name, backend)) continue;
    tf.registerKernel({
      kernelName: name,
      backendName: backend,
      kernelFunc: ({ inputs, attrs }) => compose(name, inputs as Inputs, attrs as Attributes),
    });
  }
}

/** A gradient that several inputs share: computed at the first call; later calls get a reference of their own. */
export function shared(compute: () => tf.Tensor): () => tf.Tensor {
  let value: tf.Tensor | undefined;
  return () => value ? value.clone() : (value = compute());
}
