/*
 * Real partitions: a node that nobody reaches any more and that reaches nobody, while it goes on. Where there are no network
 * namespaces, the proxies of lead.test.mjs are what there is.
 */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { performance } from 'node:perf_hooks';
import { sleep, until } from '../node/harness.mjs';
import { convergence, health } from './check.mjs';
import { untilWritten } from './load.mjs';
import { Network, whyNoNetwork } from './network.mjs';
import { rounds, scenario } from './scenario.mjs';

const LEAD_MS_MAX = 15000;
const APART_MS = 12000; /* longer than a node may be without news and call itself ready */
const LOAD_WRITES = 200;
const EXIT_IN_USE = 75;
const NODES = ['i1', 'i2', 'a1', 'a2'];

const skip = whyNoNetwork();
const network = new Network(NODES);
const options = { placeOf: (name) => network.placeOf(name), addresses: '*', serversHost: network.host };

before(() => skip || network.open());
after(() => network.close());

async function partLeader({ cluster, load, figure }, round) {
  const { leader, other } = await cluster.leaderAndOther();
  const exits = leader.process.exits.length;
  const epoch = await cluster.epoch();
  await load.writes(LOAD_WRITES);
  network.unplug(leader.name);
  const [direct, ...through] = await Promise.all([other, ...cluster.availabilities].map((node) => untilWritten(load, node)));
  await load.writes(LOAD_WRITES);
  network.plugIn(leader.name);
  const rejoined = performance.now();
  await until(() => leader.process.exits.length > exits && leader.process.runs, 'the old leader to begin anew', 60000);
  const stepped = Math.round(performance.now() - rejoined);
  await cluster.ready();
  const healed = await convergence(cluster);
  figure(`leader alone ${round}: writes again after ${direct} ms at the other, ${through.join(' and ')} ms through availability; `
    + `the old one gave up ${stepped} ms after it was back; converged ${healed} ms later (promised: 5000 ms each)`);
  assert.equal(leader.process.exits.at(-1), EXIT_IN_USE);
  assert.equal(await cluster.epoch(), epoch + 1, 'one change of the lead');
  assert.ok(Math.max(direct, ...through) < LEAD_MS_MAX, 'another led soon');
}

scenario('the leader is alone in the network, and comes back', { options, skip }, async (it) => {
  await it.load.during(async () => {
    for (let round = 1; round <= rounds(1); round++) {
      await partLeader(it, round);
    }
  });
});

scenario('an availability node is alone in the network, and comes back', { options, skip }, async ({ cluster, load, figure }) => {
  const node = cluster.availabilities[1];
  await load.during(async () => {
    await load.writes(LOAD_WRITES);
    network.unplug(node.name);
    await sleep(APART_MS);
    network.plugIn(node.name);
    const met = await health(node);
    figure(`availability alone for ${APART_MS} ms: then ${JSON.stringify(met)}; converged ${await convergence(cluster)} ms later `
      + '(promised: 5000 ms)');
  });
});
