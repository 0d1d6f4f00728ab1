/*
 * Counts instructions and allocations with callgrind, which says the same on a busy machine as on an idle one.
 */
import { spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

const ALLOCATORS = new Set(['malloc', 'calloc', 'realloc', 'posix_memalign', 'aligned_alloc']);

/* The command that runs a program under callgrind, with its output in `directory`. */
export const wrapper = (directory) => ['valgrind', '-q', '--tool=callgrind', `--callgrind-out-file=${path.join(directory, 'callgrind')}`];

/*
 * Sums of one output file. A name stands where its number is first used ("cfn=(7) malloc"), later the number alone.
 * Under "cfn=", "calls=3 ..." says that it was called three times.
 */
export function readCounts(text) {
  const names = new Map();
  let called = null;
  let allocations = 0;
  for (const line of text.split('\n')) {
    const name = /^c?fn=(\(\d+\))(?: (.*))?$/.exec(line);
    if (name !== null) {
      if (name[2] !== undefined) {
        names.set(name[1], name[2]);
      }
      called = line.startsWith('c') ? names.get(name[1]) : null;
    } else if (line.startsWith('calls=') && ALLOCATORS.has(called)) {
      allocations += Number(/^calls=(\d+)/.exec(line)[1]);
    }
  }
  const totals = /^(?:summary|totals): (\d+)/m.exec(text);
  assert.ok(totals !== null, 'callgrind wrote its totals');
  return { instructions: Number(totals[1]), allocations };
}

/* What the whole run of a program cost. */
export function countProgram(directory, ...command) {
  const [program, ...args] = [...wrapper(directory), ...command];
  const run = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return readCounts(fs.readFileSync(path.join(directory, 'callgrind'), 'utf8'));
}

/* What a process that runs under it did since the last call. */
export function countSince(directory, pid) {
  const before = new Set(fs.readdirSync(directory));
  const control = spawnSync('callgrind_control', ['--dump', String(pid)], { encoding: 'utf8' });
  assert.equal(control.status, 0, control.stderr + control.stdout);
  const dumps = fs.readdirSync(directory).filter((name) => /^callgrind\.\d+$/.test(name) && !before.has(name));
  assert.equal(dumps.length, 1, `one dump was written: ${dumps}`);
  return readCounts(fs.readFileSync(path.join(directory, dumps[0]), 'utf8'));
}
