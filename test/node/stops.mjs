/* The process stands still under load (SIGSTOP), as on a machine that sleeps, and goes on. */
import assert from 'node:assert/strict';
import { abandonServers, api, finish, sleep, startServer, until } from './harness.mjs';
import { Tally } from './tally.mjs';
import { Trade } from './trade.mjs';

const EXPIRY_LATE_MS_MAX = 1000;
/* A loaded machine may be late, and clients whose patience ended meanwhile begin again in their own time. */
const MACHINE_SLACK_MS = 30000;
const BACK_MS_MAX = 60000;

const hold = async (client, ttl_s) => (await client.reserve([{ sku: 'CLOCK', quantity: 1 }], { ttl_s }, { status: 201 })).json.id;
const isOver = async (client, id) => (await client.get(`/v1/reservations/${id}`, { status: 200 })).json.state === 'expired';

/* What ran out meanwhile ends at once, and the load goes on. */
async function standStill(server, trade, still_ms) {
  const before_it = await api(server);
  await sleep(300);
  const holds = await Promise.all([1, 1, 2, 2].map((ttl_s) => hold(before_it, ttl_s)));
  process.kill(server.pid, 'SIGSTOP');
  await sleep(still_ms);
  process.kill(server.pid, 'SIGCONT');
  before_it.close(); /* after a minute the server closes connections that were idle as long */
  const client = await api(server);
  for (const id of holds) {
    await until(() => isOver(client, id), 'the hold expires', EXPIRY_LATE_MS_MAX + MACHINE_SLACK_MS);
  }
  assert.equal((await client.level('CLOCK', 'leeds')).reserved, 0);
  client.close();
  const before = trade.acknowledged;
  await until(() => trade.acknowledged > before + 20, 'the load goes on', BACK_MS_MAX);
}

async function stop(seed, still_ms, tally) {
  const server = await startServer();
  const trade = new Trade(seed);
  try {
    tally.restarted(server.ready_ms);
    await trade.stock(server);
    const client = await api(server);
    await client.stock({ CLOCK: { leeds: 100 } });
    client.close();
    await trade.during(server, () => standStill(server, trade, still_ms), { patient: true });
    await trade.verify(server, { all: true });
    await finish(server);
  } finally {
    tally.traded(trade);
    await abandonServers(server.data);
  }
}

/* Stops of `still_ms`, each on a server of its own; none begins that would not be over by `ends`. */
export async function runStops({ seed, stops = Infinity, still_ms, ends = Infinity, failed }) {
  const tally = new Tally('stop');
  for (let i = 0; i < stops && Date.now() + still_ms < ends; i++) {
    tally.seed(seed + i);
    tally.runs++;
    await stop(seed + i, still_ms, tally).catch((error) => {
      tally.failures++;
      failed(error, `tools/node test/node/long.mjs stop --seed ${seed + i} --rounds 1`);
    });
  }
  return tally;
}
