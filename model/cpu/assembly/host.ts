/**
 * What the kernels ask of their host: functions that need tables.
 *
 * @module
 */

/** The natural logarithm. */
// @ts-ignore: decorator
@external("host", "log")
export declare function log(x: f64): f64;

/** eˣ in double precision. */
// @ts-ignore: decorator
@external("host", "exp")
export declare function exp(x: f64): f64;
