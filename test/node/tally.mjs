/* What a run of many faults did, for the line that it ends with. */

const BACK_MS_MAX = 2000;

/* Restarts are told, not judged: how long they take is the machine's matter too. */
export class Tally {
  constructor(suite) {
    Object.assign(this, { suite, seeds: null, runs: 0, operations: 0, retried: 0, restarts: 0, slowest_ms: 0, late: 0, failures: 0 });
  }

  /* Another seed in use; they rise by one. */
  seed(seed) {
    this.seeds = { first: this.seeds?.first ?? seed, last: seed };
  }

  restarted(ready_ms) {
    this.restarts++;
    this.slowest_ms = Math.max(this.slowest_ms, ready_ms);
    this.late += ready_ms > BACK_MS_MAX ? 1 : 0;
  }

  traded(trade) {
    this.operations += trade.acknowledged;
    this.retried += trade.retried;
  }

  line() {
    const seeds = this.seeds === null ? '-' : `${this.seeds.first}-${this.seeds.last}`;
    return `totals suite=${this.suite} seeds=${seeds} runs=${this.runs} operations=${this.operations} simulated_hours=0 ` +
      `failures=${this.failures} restarts=${this.restarts} slowest_restart_ms=${Math.ceil(this.slowest_ms)} restarts_over_2s=${this.late}`;
  }
}

/* Makes a run fail with what went wrong first, and say how to repeat it. */
export async function pass(run) {
  const errors = [];
  const tally = await run((error, replay) => {
    error.message += `\nTo repeat it: ${replay}`;
    errors.push(error);
  });
  if (errors.length > 0) {
    throw errors[0];
  }
  return tally;
}
