/*
 * Measures this program beside its alternatives, all on this machine and in turns, and writes bench/results/.
 *
 *   run.mjs [--rounds N] [--seconds S] [--only WORK[,WORK]] [--quick]
 */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { sampleAnswers } from './contenders/onhand.mjs';
import { machineFacts } from './machine.mjs';
import { ownCores, raiseFileLimit, removeDirectory, temporaryDirectory } from './processes.mjs';
import { renderMachine, renderTargets, renderWork, summarized } from './report.mjs';
import { rotated } from './statistics.mjs';
import { CONTENDERS, quickLoad, WORKS } from './works.mjs';

const FILES_WANTED = 100000;
const FILES_SPARE = 500;
const RESULTS = fileURLToPath(new URL('results', import.meta.url));

function readOptions() {
  const { values } = parseArgs({ options: {
    rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '5' }, only: { type: 'string' },
    quick: { type: 'boolean', default: false },
  } });
  const only = values.only?.split(',') ?? WORKS.map(({ name }) => name);
  const stray = only.filter((name) => !WORKS.some((work) => work.name === name));
  const [rounds, seconds] = values.quick ? [1, 1] : [Number(values.rounds), Number(values.seconds)];
  if (stray.length > 0 || !(Number.isInteger(rounds) && rounds > 0) || !(Number.isInteger(seconds) && seconds > 0)) {
    throw new Error(`run.mjs [--rounds N] [--seconds S] [--only WORK,...] [--quick]; works: ${WORKS.map(({ name }) => name).join(' ')}`);
  }
  return { rounds, seconds, warmup: Math.min(2, seconds), only, quick: values.quick };
}

/* The versions of those that are installed, and why the others are not there. */
async function findContenders(works) {
  const wanted = new Set(works.flatMap(({ entries }) => entries.map(({ contender }) => contender)));
  const found = { versions: {}, unavailable: {} };
  for (const name of wanted) {
    await CONTENDERS[name].version().then(
      (version) => { found.versions[name] = version; },
      (error) => { found.unavailable[name] = error.message; });
  }
  return found;
}

/* One server in a directory of its own, for as long as `use` takes. */
async function withServer(contender, options, use) {
  const dir = temporaryDirectory();
  try {
    const server = await contender.start(dir, options);
    return await use(server).finally(server.stop);
  } finally {
    removeDirectory(dir);
  }
}

/* A load of streams that can be open at a time. */
function fitted(load, { quick, files }) {
  const fit = load.streams === undefined ? load : { ...load, streams: Math.min(load.streams, files - FILES_SPARE) };
  return quick ? quickLoad(fit) : fit;
}

async function measureEntry(work, { contender: name, load: more }, options) {
  const { seconds, warmup, cores, samples } = options;
  const contender = CONTENDERS[name];
  const load = fitted({ ...work.load, ...more }, options);
  const [at, from] = work.bound && cores !== null ? [cores.server, cores.load] : [];
  return withServer(contender, { core: at, load, samples }, async (server) =>
    ({ result: await contender.measure(server, load, { core: from, seconds, warmup }) }));
}

/* By entry and round. */
async function measureWork(work, options, unavailable) {
  const results = Object.fromEntries(work.entries.map(({ name }) => [name, []]));
  const entries = work.entries.filter(({ contender }) => unavailable[contender] === undefined);
  for (let round = 0; round < options.rounds; round++) {
    for (const entry of rotated(entries, round)) {
      process.stderr.write(`${work.name}: round ${round + 1} of ${options.rounds}: ${entry.name}\n`);
      results[entry.name][round] = await measureEntry(work, entry, options)
        .catch((error) => ({ failure: error.message.replace(/\s+/g, ' ') }));
    }
  }
  return results;
}

function writeResults(record, text) {
  const [commit] = record.machine.commit.split(',');
  const stamp = record.machine.date.slice(0, 16).replace(':', '');
  const file = path.join(RESULTS, `${stamp}-${commit}${record.options.quick ? '-quick' : ''}`);
  fs.mkdirSync(RESULTS, { recursive: true });
  fs.writeFileSync(`${file}.json`, `${JSON.stringify(record, null, 1)}\n`);
  fs.writeFileSync(`${file}.md`, text);
  return file;
}

function placesOf(cores) {
  return cores === null ? 'one core, so nothing is bound' : `servers that are bound have core ${cores.server}, their loads core ${cores.load}`;
}

function timesOf({ rounds, seconds, warmup, quick }) {
  return `${rounds} rounds of ${seconds} s, each after ${warmup} s${quick ? '; quick: of sizes that mean nothing' : ''}`;
}

async function main() {
  const options = readOptions();
  const works = WORKS.filter(({ name }) => options.only.includes(name));
  const { versions, unavailable } = await findContenders(works);
  const cores = ownCores();
  const files = await raiseFileLimit(FILES_WANTED);
  const facts = await machineFacts(temporaryDirectory());
  const machine = { ...facts, 'open files': files, places: placesOf(cores), times: timesOf(options), ...versions };
  const samples = await withServer(CONTENDERS.onhand, { load: {} }, sampleAnswers);
  const parts = [];
  const print = (part) => {
    parts.push(part);
    console.log(`${part}\n`);
  };
  print(renderMachine(machine, unavailable));
  const done = [];
  for (const work of works) {
    done.push(summarized(work, await measureWork(work, { ...options, cores, files, samples }, unavailable)));
    print(renderWork(done.at(-1)));
  }
  print(renderTargets(done));
  const file = writeResults({ machine, unavailable, options, works: done }, `${parts.join('\n\n').trim()}\n`);
  console.log(`written to ${path.relative('.', file)}.json and .md`);
}

main().then(() => process.exit(0), (error) => {
  console.error(`bench: ${error.message}`);
  process.exit(1);
});
