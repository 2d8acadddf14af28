import { deepEqual, equal, match, ok } from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readTasks, samplesFolder } from "../../arc/read.ts";
import { type Task, withoutAnswers } from "../../arc/task.ts";
import { judge, type Outcome } from "../../serve/outcome.ts";
import { judgeTask, renderReport } from "../../serve/report.ts";
import { type Configuration, type TaskResult, tasksDigest } from "../../serve/run.ts";
import { FakeSolver, mirrorTask } from "./support.ts";

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path)
);

async function solved(tasks: readonly Task[]): Promise<{ results: TaskResult[]; outcome: Outcome; page: string }> {
  const solver = new FakeSolver();
  const results = await Promise.all(tasks.map(async (task): Promise<TaskResult> => ({
    ...await solver.solve(withoutAnswers(task), {}, { explain: true }),
    started: "2026-01-01T00:00:00.000Z",
    ended: "2026-01-01T00:00:02.000Z",
  })));
  const configuration: Configuration = {
    weights: solver.name,
    weights_sha256: "0",
    tasks: tasks.map(({ id }) => id),
    tasks_sha256: tasksDigest(tasks.map(withoutAnswers)),
    options: { adapt: "auto", seconds: 30, seed: 0 },
    data: "samples",
  };
  const outcome = judge(tasks, results, 2);
  return { results, outcome, page: renderReport(tasks, results, outcome, configuration) };
}

Deno.test("judgeTask() tells solved, nearly, failed and unscored apart", async () => {
  const judged = async (outputs: (number[][] | undefined)[]) => {
    const task = { ...mirrorTask, test: mirrorTask.test.map(({ input }, t) => ({ input, output: outputs[t] })) };
    return judgeTask(task, (await solved([task])).results[0]);
  };
  deepEqual(await judged([[[8, 7]], [[9, 1, 1]]]), { status: "solved", cells: 1 });
  deepEqual(await judged([[[7, 8]], [[9, 1, 1]]]), { status: "solved", cells: 1 });
  deepEqual(await judged([[[8, 7]], [[1]]]), { status: "nearly", cells: 0.5 });
  deepEqual(await judged([[[8, 8]], [[1]]]), { status: "failed", cells: 0.25 });
  deepEqual(await judged([[[8, 7]], undefined]), { status: "unscored", cells: 0 });
});

Deno.test("renderReport() fetches nothing, and no task's text ends its data", async () => {
  const { page } = await solved([{ ...mirrorTask, id: "</script><script>alert(1)</script>" }]);
  ok(!/\b(src|href)=|@import|url\(|fetch\(/.test(page));
  equal(page.match(/<\/script>/g)!.length, 2);
  const json = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page)![1];
  equal(JSON.parse(json).tasks[0].id, "</script><script>alert(1)</script>");
});

Deno.test({
  name: "report.html filters, sorts and unfolds in a browser, by mouse and by keyboard",
  ignore: !chromium,
  // The browser's driver keeps timers of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const { chromium: driver } = await import("playwright-core");
    const folder = await Deno.makeTempDir();
    const path = join(folder, "report.html");
    const { page: html } = await solved(await readTasks(samplesFolder()));
    await Deno.writeTextFile(path, html);
    const browser = await driver.launch({ executablePath: chromium, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(error.message));
      await page.goto(pathToFileURL(path).href);
      const shown = () => page.locator("article:visible h2").allTextContents();
      const all = await shown();
      deepEqual(all, all.toSorted());
      match(await page.locator("#scores").innerText(), /pass@2/);

      const solvedButton = page.getByRole("button", { name: /^solved/ });
      await solvedButton.click();
      const right = await shown();
      ok(right.includes("mirror") && right.length < all.length);
      equal(await solvedButton.innerText(), `solved ${right.length}`);
      equal(await page.getByRole("status").innerText(), `${right.length} of ${all.length} tasks`);
      match((await page.locator("#task-mirror").textContent())!, /✓ right/);

      await page.getByRole("button", { name: /^failed/ }).focus();
      await page.keyboard.press("Enter");
      const failed = await shown();
      ok(failed.length > 0 && failed.every((id) => !right.includes(id)));
      // Not innerText(): a card out of sight is not laid out, and has none.
      match((await page.locator("article:visible").first().textContent())!, /✗ wrong/);

      await page.getByRole("button", { name: /^all/ }).click();
      await page.getByLabel("Sort by").selectOption("right cells");
      equal(right.includes((await shown())[0]), true);
      const card = page.locator("#task-mirror");
      await card.getByText("Refinement over 2 segments").first().click();
      const segments = card.getByRole("img", { name: /^segment / });
      await segments.first().waitFor();
      equal(await segments.count(), 2);
      await card.getByText("Adaptation curve").focus();
      await page.keyboard.press("Enter");
      await card.getByRole("img", { name: /^Adaptation over 7 steps/ }).waitFor();
      ok(await card.locator("svg.grid title", { hasText: /^\d (black|blue|red|green)$/ }).count() > 0);
      deepEqual(faults, []);
    } finally {
      await browser.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
