// The world outside the engine, pretended with files, as in `../../auxiliary/outside.py`: it outlives
// a crash of the service, and both languages may share it.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as later } from "node:timers/promises";

const FOLDER = process.env.TOUR_OUTSIDE ?? join(import.meta.dirname, "../../outside");

type Facts = Record<string, unknown>;

/** Something has happened. */
export function note(kind: string, facts: Facts): void {
  mkdirSync(FOLDER, { recursive: true });
  appendFileSync(join(FOLDER, `${kind}.jsonl`), JSON.stringify(facts) + "\n");
}

/** The same, but only for the first of that name: how a provider tells repeated requests. */
export function noteOnce(kind: string, name: string, facts: Facts): void {
  mkdirSync(FOLDER, { recursive: true });
  const seen = join(FOLDER, `${kind}-${name}`);
  if (existsSync(seen)) return;
  writeFileSync(seen, "");
  note(kind, { name, ...facts });
}

/** Whether somebody has put this order in the folder. */
export function ordered(order: string): boolean {
  return existsSync(join(FOLDER, order));
}

/** Takes its time, until the order is taken back. */
export async function whileOrdered(order: string): Promise<void> {
  while (ordered(order)) await later(50);
}

/** Takes one from the number in the order's file; false when there is none left. */
export function countDown(order: string): boolean {
  const left = ordered(order) ? Number(readFileSync(join(FOLDER, order), "utf8")) : 0;
  if (left > 0) writeFileSync(join(FOLDER, order), String(left - 1));
  return left > 0;
}
