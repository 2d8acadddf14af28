import { equal } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
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

Deno.test("serve/deploy/slurm.sh is a shell script", async () => {
  const { code } = await new Deno.Command("bash", { args: ["-n", fileURLToPath(location("slurm.sh"))] }).output();
  equal(code, 0);
});
