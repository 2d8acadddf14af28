/**
 * Gradients that free what they no longer need as they go. tfjs keeps every saved tensor and every gradient in between until the whole of it is
 * done, which doubles what a training step holds. Knows no network.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** What is used here of an operation as tfjs has written it down. */
interface TapeNode {
  saved: tf.Tensor[];
  gradient?: (dys: (tf.Tensor | null)[]) => Record<string, () => tf.Tensor>;
}

/**
 * The value of `f` and its gradients by `xs`, null where it does not depend on them.
 *
 * @param f to a scalar
 */
export function gradients(f: () => tf.Tensor, xs: tf.Tensor[]): { value: tf.Tensor; grads: (tf.Tensor | null)[] } {
  const engine = tf.engine();
  const recorded = () => {
    const y = f();
    freeAsDone(engine.state.activeTape as unknown as TapeNode[]);
    return y;
  };
  return engine.gradients(recorded, xs, undefined as unknown as tf.Tensor, true);
}

/** Operations are gone through backwards, one by one: when the next one's turn comes, nothing asks for the gradients that one was given any more. */
function freeAsDone(tape: TapeNode[]): void {
  let free = () => {};
  for (const node of tape) {
    const { gradient, saved } = node;
    if (!gradient) continue;
    node.gradient = (dys) => {
      free();
      const given = new Set(dys);
      free = () => tf.dispose([...given, ...saved] as tf.TensorContainer);
      return Object.fromEntries(
        Object.entries(gradient(dys)).map(([name, compute]) => [name, () => {
          const dx = compute();
          // Handed on as it came, it is the next operation's.
          given.delete(dx);
          return dx;
        }]),
      );
    };
  }
}
