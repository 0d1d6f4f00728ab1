/*
 * The long forms of the faults against the real program. Each ends by itself with the line of its totals; the exit code
 * is 1 when anything failed. What failed is printed with the command that repeats it.
 *
 *   long.mjs kill|powercut [--minutes M] [--rounds N] [--seed S] [--lanes L]
 *   long.mjs sweep|shortwrite [--minutes M] [--seed S] [--only 'NAME OF A CASE']   all cases, in an order of the seed
 *   long.mjs stop [--minutes M] [--rounds N] [--seed S]                            a minute each
 *   long.mjs recovery [--gigabytes G]                                              1 by default
 */
import { parseArgs } from 'node:util';
import { recover } from './recovery.mjs';
import { KILL, POWER, runRounds } from './rounds.mjs';
import { runStops } from './stops.mjs';
import { CALLS, runSweep, SHORT_WRITES, shuffled } from './sweeps.mjs';
import { Tally } from './tally.mjs';

const STOP_MS = 60000;
const BYTES_A_GIGABYTE = 1e9;
const OPTIONS = ['minutes', 'rounds', 'seed', 'lanes', 'only', 'gigabytes'];

function failed(error, replay) {
  console.log(`FAILED ${error.stack}\nTo repeat it: ${replay}\n`);
}

const rounds = (death) => ({ seed, rounds, ends, lanes }) => runRounds(death, { seed, rounds, ends, lanes, failed });

const sweep = (kind) => async ({ seed, ends, only }) => {
  const choose = (cases) => (only === undefined ? shuffled(cases, seed) : cases.filter((one) => kind.nameOf(one) === only));
  const tally = await runSweep(kind, { choose, ends, failed, told: (line) => console.log(line) });
  return tally;
};

async function recovery({ gigabytes = 1 }) {
  const tally = new Tally('recovery');
  const measured = await recover(gigabytes * BYTES_A_GIGABYTE);
  console.log(`recovery: ${JSON.stringify(measured)}`);
  tally.runs++;
  tally.operations = measured.operations;
  tally.restarted(measured.recovery_ms);
  return tally;
}

const SUITES = {
  kill: rounds(KILL),
  powercut: rounds(POWER),
  sweep: sweep(CALLS),
  shortwrite: sweep(SHORT_WRITES),
  stop: ({ seed, rounds: stops, ends }) => runStops({ seed, stops, still_ms: STOP_MS, ends, failed }),
  recovery,
};

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' }])),
  });
  const numbers = Object.entries(values).map(([name, value]) => [name, name === 'only' ? value : Number(value)]);
  const bad = numbers.find(([name, value]) => name !== 'only' && !(value > 0));
  if (bad !== undefined || positionals.length !== 1 || SUITES[positionals[0]] === undefined) {
    throw new Error(`say which of ${Object.keys(SUITES).join(', ')}, and numbers above 0`);
  }
  return { suite: positionals[0], given: Object.fromEntries(numbers) };
}

const began = Date.now();
const { suite, given } = readArguments();
const seed = given.seed ?? began % 2147483647;
const ends = given.minutes === undefined ? Infinity : began + given.minutes * 60000;
if (ends === Infinity && given.rounds === undefined && ['kill', 'powercut', 'stop'].includes(suite)) {
  throw new Error('say how long: --minutes or --rounds');
}
const tally = await SUITES[suite]({ ...given, seed, ends });
if (tally.runs === 0) {
  console.log(`FAILED ${suite}: nothing was run`);
}
console.log(`${suite}: ${((Date.now() - began) / 1000).toFixed(0)} s`);
console.log(tally.line());
process.exitCode = tally.failures === 0 && tally.runs > 0 ? 0 : 1;
