// The world outside the journal: effects that are counted, gates that hold a handler up, switches.
// All are files, so a killed endpoint forgets nothing and the tests can read and open them.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as later } from "node:timers/promises";

const folder = process.env.CONFORMANCE_OUTSIDE!;

// As Python's urllib.parse.quote(tag, safe=""), so that both languages agree on file names.
function file(kind: string, tag: string): string {
  const quoted = encodeURIComponent(tag).replace(
    /[!'()*]/g,
    (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase(),
  );
  return join(folder, kind, quoted);
}

/** Append one line under `tag`; the answer counts the lines, this one included. */
export function effect(tag: string, text = ""): number {
  appendFileSync(file("effects", tag), text.replaceAll("\n", " ") + "\n");
  return readFileSync(file("effects", tag), "utf8").split("\n").length - 1;
}

/** Hold this handler up, with nothing journaled, until the test opens the gate. */
export async function gate(name: string): Promise<void> {
  while (!existsSync(file("gates", name))) await later(20);
}

/** Whether the test holds this switch down. */
export function switchedOn(name: string): boolean {
  return existsSync(file("switches", name));
}
