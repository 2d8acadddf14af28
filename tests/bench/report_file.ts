/**
 * A report in Markdown that is whole on disk after every item, so that a run cut off leaves what it had measured. Knows nothing of what is
 * measured.
 *
 * @module
 */

/** When measuring stops. */
export interface Limits {
  /** Seconds after which an item is given up, and all that follow. */
  item: number;
  /** Seconds after which no item is begun. */
  all: number;
}

/** Sections of tables, filled in any order. */
export class ReportFile {
  #sections: { title: string; text: string; rows: string[][] }[] = [];
  #start = performance.now();
  #stuck = "";

  /** A report at `file`, under a heading. */
  constructor(readonly file: string, readonly title: string, readonly limits: Limits) {}

  /** Adds a section with an empty table; returns how to measure a row or several of it under a name. */
  section(title: string, text: string, columns: string[]) {
    const section = { title, text, rows: [columns, columns.map(() => "---")] };
    this.#sections.push(section);
    return async (name: string, measure: () => Promise<string[][]>): Promise<void> => {
      const rows = await this.#guarded(measure).catch((error) => {
        const [message] = String(error?.message ?? error).split("\n");
        return [[name, `failed: ${message.slice(0, 300)}`]];
      });
      section.rows.push(...rows);
      for (const row of rows) console.log(`${title}: ${row.join(" | ")}`);
      this.#write();
    };
  }

  async #guarded(measure: () => Promise<string[][]>): Promise<string[][]> {
    if (this.#stuck) throw new Error(this.#stuck);
    if (this.#seconds() > this.limits.all) throw new Error(`not begun after ${this.limits.all} s`);
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#stuck = "not begun: an item before it did not end";
      reject(new Error(`not ended after ${this.limits.item} s`));
    }, this.limits.item * 1000);
    try {
      return await Promise.race([measure(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  #write(): void {
    const tables = this.#sections.map(({ title, text, rows }) =>
      [`## ${title}`, text, rows.map((row) => `| ${row.map(escape).join(" | ")} |`).join("\n")].join("\n\n")
    );
    const head = `# ${this.title}\n\nMeasured in ${this.#seconds().toFixed(0)} s.`;
    Deno.writeTextFileSync(this.file, [head, ...tables, ""].join("\n\n"));
  }
}

function escape(cell: string): string {
  return cell.replaceAll("|", "\\|");
}
