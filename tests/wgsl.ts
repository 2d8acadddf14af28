/**
 * What shaders must not do though a software adapter forgives it. Reads only the WGSL that this project writes: one declaration or assignment a
 * statement, no brackets within brackets.
 *
 * @module
 */

/**
 * Refuses a write to one number of a vector in workgroup memory: it may write the others, too, which can be other threads' (WGSL, vector access
 * expressions); on Metal it does.
 *
 * @throws {Error} naming the statement
 */
export function refuseComponentWrites(text: string): void {
  const aliases = Array.from(text.matchAll(/alias (\w+) = ([^;]+);/g), ([, name, type]) => ({ name, type }));
  for (const [, name, declared] of text.matchAll(/var<workgroup> (\w+): ([^;]+);/g)) {
    const type = aliases.reduce(
      (whole, alias) => whole.replace(new RegExp(`\\b${alias.name}\\b`), alias.type),
      declared,
    );
    if (!type.includes("vec")) continue;
    const depth = type.split("array<").length - 1;
    for (
      const [statement, indices, component] of text.matchAll(
        new RegExp(`\\b${name}((?:\\[[^\\]]*\\])*)(\\.\\w+)?\\s*[-+*/]?=(?!=)`, "g"),
      )
    ) {
      if (component || indices.split("[").length - 1 > depth) {
        throw new Error(`A component of a shared vector is written: ${statement}`);
      }
    }
  }
}
