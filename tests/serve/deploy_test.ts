import { equal } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { outputOf } from "../script.ts";
import { readShard } from "../../serve/evaluate.ts";

const location = (name: string) => new URL(`../../serve/deploy/${name}`, import.meta.url);

Deno.test("serve/deploy/kubernetes.yaml tells every pod how many parts there are", async () => {
  const { spec } = parse(await Deno.readTextFile(location("kubernetes.yaml")));
  const variables = new Map<string, string>();
  for (const { name, value } of spec.template.spec.containers[0].env) variables.set(name, value);
  variables.set("JOB_COMPLETION_INDEX", String(spec.completions - 1));
  const shard = readShard(undefined, (name) => variables.get(name));
  equal(shard.count, spec.completions);
  equal(shard.index, spec.completions);
});

Deno.test("serve/deploy/edge.ts adapts and answers with no permission but to read", async () => {
  const task = Deno.readTextFileSync(new URL("../../arc/samples/recolour.json", import.meta.url));
  const printed = await outputOf(
    `
    import app from ${JSON.stringify(location("edge.ts").href)};
    const ask = async (options) => {
      const request = new Request("http://localhost/solve", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...${task}, options }),
      });
      const { solver, answers } = await (await app.fetch(request)).json();
      return [solver.known, solver.adaptation_steps, answers.length];
    };
    console.log(JSON.stringify([await ask({}), await ask({ adapt: "always", steps: 2 })]));
  `,
    "--allow-read",
  );
  // Two members of two steps each.
  equal(printed.trim(), "[[true,0,2],[true,4,2]]");
});

Deno.test("serve/deploy/slurm.sh is a shell script", async () => {
  const { code } = await new Deno.Command("bash", { args: ["-n", fileURLToPath(location("slurm.sh"))] }).output();
  equal(code, 0);
});
