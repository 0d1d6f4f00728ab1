/*
 * Runs of the script with one fault each, in lanes beside each other: calls that fail or are the last ones (sweep.mjs),
 * writes that are cut short (shortwrites.mjs).
 */
import { randomFrom } from './trade.mjs';
import { makeFixture, STEPS } from './script.mjs';
import { countWrites, nameOfShort, runShortWrite } from './shortwrites.mjs';
import { countBoundaries, nameOf, runBoundary } from './sweep.mjs';
import { Tally } from './tally.mjs';

const LANES = 4; /* a full disk makes the server wait for a second, so that some sleep */

/* What a sweep goes over: which cases there are, how each is called and run. A name stands for one case. */
export const CALLS = { suite: 'sweep', count: countBoundaries, nameOf, run: runBoundary };
export const SHORT_WRITES = { suite: 'shortwrite', count: countWrites, nameOf: nameOfShort, run: runShortWrite };

/* Evenly spread over the list, by the seed. */
export function sample(list, count, random) {
  return Array.from({ length: count }, (_, i) => list[Math.floor((i + random(1000) / 1000) * list.length / count)]);
}

/* In an order of the seed, so that a run that is cut off has seen some of everything. */
export function shuffled(list, seed) {
  const random = randomFrom(seed);
  const all = [...list];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}

/* How often the server went on, stopped by itself or was killed; `missed` counts faults that did not come about. */
class SweepTally extends Tally {
  constructor(suite) {
    super(suite);
    this.all = 0;
    this.ends = { wentOn: 0, stopped: 0, killed: 0, missed: 0 };
  }

  /* How far it is. */
  progress() {
    return `${this.suite}: ${this.runs + this.failures} of ${this.all} cases, ${JSON.stringify(this.ends)}`;
  }

  ran({ end, ready_ms, missed }) {
    this.runs++;
    this.operations += STEPS.length;
    this.restarted(ready_ms);
    this.ends[missed ? 'missed' : end === null ? 'wentOn' : end.signal === null ? 'stopped' : 'killed']++;
  }
}

/*
 * Runs the cases that `choose` takes from all, until `ends`. `failed` is told of each that went wrong, with the command
 * that repeats it; `told` hears once a minute, and at the end, how far it is.
 */
export async function runSweep(kind, { choose, ends = Infinity, failed, told = () => {} }) {
  const tally = new SweepTally(kind.suite);
  const fixture = await makeFixture();
  const { cases, expected } = await kind.count(fixture);
  const waiting = choose(cases);
  tally.all = waiting.length;
  const minute = setInterval(() => told(tally.progress()), 60000);
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined && Date.now() < ends; next = waiting.shift()) {
      const name = kind.nameOf(next);
      await kind.run(fixture, expected, next).then((done) => tally.ran(done), (error) => {
        tally.failures++;
        error.message = `${name}: ${error.message}`;
        failed(error, `tools/node test/node/long.mjs ${kind.suite} --only '${name}'`);
      });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  clearInterval(minute);
  told(tally.progress());
  return tally;
}
