/*
 * The database behind inventory: its connections break in the middle of commits, it goes away and comes back, it dies and its
 * synchronous standby takes its place. Nothing acknowledged is missing, and nothing is there twice.
 */
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { sleep, until } from '../node/harness.mjs';
import { convergence } from './check.mjs';
import { Orders, untilWritten } from './load.mjs';
import { rounds, scenario } from './scenario.mjs';

const CUTS = 100;
const CUT_EVERY_MS = 120; /* time enough to connect again and commit something */
const AWAY_MS = 1000 * Number(process.env.OUTAGE_S ?? 8);
const BACK_MS_MAX = 20000;
const LOAD_WRITES = 300;

const exits = (cluster) => `exits ${cluster.inventories.map((node) => node.process.exits.join(',') || '-').join(' ')}`;

/* So many at one node at least, the leader: some all at once, some in the middle of what a commit sends or is answered. */
async function cutConnections({ cluster, random }, cuts) {
  const proxies = [...cluster.proxies.values()];
  const begun = proxies.map((proxy) => proxy.cuts);
  const most = () => Math.max(...proxies.map((proxy, i) => proxy.cuts - begun[i]));
  while (most() < cuts && !cluster.stopped) {
    for (const proxy of proxies) {
      if (random(4) === 0) {
        proxy.cut();
      } else {
        proxy.cutWithin(random(2) === 0, random(101) / 100);
      }
    }
    await sleep(random(2 * CUT_EVERY_MS));
  }
}

scenario('connections to the database break in the middle of commits', { options: { proxied: true } }, async (it) => {
  const { cluster, load, figure } = it;
  const cuts = CUTS * rounds(1);
  await load.during(async () => {
    await load.writes(LOAD_WRITES);
    await cutConnections(it, cuts);
    figure(`connections broken ${cuts} times; epoch ${await cluster.epoch()}; converged ${await convergence(cluster)} ms later`);
    await load.writes(LOAD_WRITES);
  });
});

scenario('connections break while orders go all their ways', { options: { proxied: true } }, async (it) => {
  const { cluster, seed, load, figure } = it;
  await load.during(() => load.writes(LOAD_WRITES));
  await load.exportAll();
  const orders = new Orders(seed, cluster);
  await orders.stock();
  for (let round = 1; round <= rounds(2); round++) {
    await orders.during(() => cutConnections(it, CUTS / 2));
    await cluster.ready();
    await orders.verify();
  }
  await orders.verifyAll();
  figure(orders.told());
});

async function restartPostgres({ cluster, load, figure }, round) {
  await load.writes(LOAD_WRITES);
  const before = await cluster.epoch();
  const { leader } = await cluster.leaderAndOther();
  await cluster.postgres.stopAtOnce();
  await sleep(AWAY_MS);
  await until(async () => !(await cluster.isReady(leader)), 'the leader to say that it takes no requests');
  await cluster.postgres.begin();
  const [back, healed] = await Promise.all([untilWritten(load, cluster.availabilities[0]), convergence(cluster)]);
  await load.writes(LOAD_WRITES);
  figure(`away ${round}: ${AWAY_MS} ms away; writes again ${back} ms after it was back, converged after ${healed} ms `
    + `(promised: 5000 ms); epoch ${before} to ${await cluster.epoch()}, ${exits(cluster)}`);
  assert.ok(back < BACK_MS_MAX, 'it went on');
}

scenario('the database is away for a while', { loadOptions: { away_ms: AWAY_MS } }, async (it) => {
  await it.load.during(async () => {
    for (let round = 1; round <= rounds(1); round++) {
      await restartPostgres(it, round);
    }
  });
});

scenario('the database dies, and its synchronous standby takes its place', { options: { proxied: true, standby: true } }, async (it) => {
  const { cluster, load, figure } = it;
  await load.during(async () => {
    await load.writes(LOAD_WRITES);
    const begun = performance.now();
    await cluster.postgres.kill();
    cluster.proxies.forEach((proxy) => proxy.cut());
    await cluster.second.promote();
    const promoted = Math.round(performance.now() - begun);
    cluster.switchToSecond();
    const [back, healed] = await Promise.all([untilWritten(load, cluster.availabilities[0]), convergence(cluster)]);
    await load.writes(LOAD_WRITES);
    figure(`promoted ${promoted} ms after the death; writes again ${back} ms later, converged after ${healed} ms (promised: 5000 ms); `
      + exits(cluster));
    assert.ok(back < BACK_MS_MAX, 'it went on');
  });
});
