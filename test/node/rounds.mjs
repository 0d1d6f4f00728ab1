/*
 * The server dies under load and starts again on what it left, round after round: by kill -9, or with the power cut.
 * Rounds come in lives: a life begins with an empty data directory, so that a long run does not grow without bound, and
 * with a seed of its own, which chooses its operations again; the moment of a death stays the machine's. Lives go on in
 * lanes beside each other.
 */
import fs from 'node:fs';
import path from 'node:path';
import {
  abandonServers, auditCleanMeanwhile, BINARY, killServer, launchServer, sleep, startServer, stopServer, temporaryDirectory,
} from './harness.mjs';
import { Tally } from './tally.mjs';
import { Trade } from './trade.mjs';

const LANES = 2;
const VERIFY_ALL_EVERY = 25;
const AUDIT_EVERY = 10;
const DIE_STARTING_EVERY = 8;
const START_MS = 60; /* about what a start takes: within it a death hits every part of it */
const LOAD_MS_MIN = 5;

export const POWERCUT = path.join(path.dirname(BINARY), 'test/faults/powercut.so');

/* ---- A disk that forgets ---- */

/* A directory, and beside it what the disk surely has of it. */
export function newDisk() {
  const root = temporaryDirectory();
  const disk = { root, data: path.join(root, 'data'), durable: path.join(root, 'durable') };
  fs.mkdirSync(disk.data);
  fs.mkdirSync(path.join(disk.durable, 'unnamed'), { recursive: true });
  return disk;
}

export const powercut = ({ data, durable }, more = {}) =>
  ({ LD_PRELOAD: POWERCUT, POWERCUT_DIR: data, POWERCUT_DURABLE: durable, ...more });

/* The power is back: only what the disk has is there. */
export function loseUnsynced({ data, durable }) {
  fs.rmSync(path.join(durable, 'unnamed'), { recursive: true });
  fs.rmSync(data, { recursive: true });
  fs.cpSync(durable, data, { recursive: true });
  fs.mkdirSync(path.join(durable, 'unnamed'));
}

/* ---- The two deaths: where a life has its data, how its servers run, and what is lost with the process ---- */

export const KILL = {
  suite: 'kill',
  lifeRounds: 300,
  loadMs: 60,
  begin: () => {
    const root = temporaryDirectory();
    return { root, data: root };
  },
  variables: () => ({}),
  lose: () => {},
};

export const POWER = {
  suite: 'powercut',
  lifeRounds: 100,
  loadMs: 60,
  begin: newDisk,
  /* In every other round some of what was not synced gets through all the same, whole or in part. */
  variables: (disk, seed, round) => powercut(disk, round % 2 === 0 ? {} : { POWERCUT_KEEP: '50', POWERCUT_SEED: String(seed + round) }),
  lose: loseUnsynced,
};

/* ---- Lives ---- */

async function dieStarting(death, place, trade, variables) {
  const server = launchServer({ data: place.data, variables });
  await sleep(trade.random(START_MS));
  await killServer(server);
  death.lose(place);
}

async function dieUnderLoad(death, place, trade, server) {
  await trade.during(server, async () => {
    await sleep(LOAD_MS_MIN + trade.random(death.loadMs));
    await killServer(server);
  });
  death.lose(place);
}

async function liveRound(death, place, trade, { seed, round, tally }) {
  const variables = death.variables(place, seed, round);
  if (round % DIE_STARTING_EVERY === DIE_STARTING_EVERY - 1) {
    await dieStarting(death, place, trade, variables);
  }
  const server = await startServer({ data: place.data, variables });
  tally.restarted(server.ready_ms);
  if (round === 0) {
    await trade.stock(server);
  }
  await trade.verify(server, { all: round % VERIFY_ALL_EVERY === VERIFY_ALL_EVERY - 1 });
  await dieUnderLoad(death, place, trade, server);
  if (round % AUDIT_EVERY === AUDIT_EVERY - 1) {
    await auditCleanMeanwhile(place.data);
  }
}

async function live(death, { seed, rounds, ends, tally }) {
  const place = death.begin();
  const trade = new Trade(seed);
  try {
    for (let round = 0; round < rounds && Date.now() < ends; round++) {
      await liveRound(death, place, trade, { seed, round, tally });
      tally.runs++;
    }
    const server = await startServer({ data: place.data });
    tally.restarted(server.ready_ms);
    await trade.verify(server, { all: true });
    await stopServer(server);
    await auditCleanMeanwhile(place.data);
  } finally {
    tally.traded(trade);
    await abandonServers(place.data);
    fs.rmSync(place.root, { recursive: true });
  }
}

/*
 * Lives until there were `rounds` rounds, or until `ends`. `failed` is told of each life that went wrong, with the
 * command that repeats it.
 */
export async function runRounds(death, { seed, rounds = Infinity, ends = Infinity, lanes = LANES, failed }) {
  const tally = new Tally(death.suite);
  let [left, next_seed] = [rounds, seed];
  const lane = async () => {
    while (left > 0 && Date.now() < ends) {
      const life = { seed: next_seed++, rounds: Math.min(left, death.lifeRounds, Math.ceil(rounds / lanes)), ends, tally };
      left -= life.rounds;
      tally.seed(life.seed);
      await live(death, life).catch((error) => {
        tally.failures++;
        failed(error, `tools/node test/node/long.mjs ${death.suite} --seed ${life.seed} --rounds ${life.rounds} --lanes 1`);
      });
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return tally;
}
