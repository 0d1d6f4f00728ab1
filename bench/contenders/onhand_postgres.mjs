/* This program with its books in PostgreSQL, which is the same server as that of the row locks. */
import * as onhand from './onhand.mjs';
import * as postgres from './postgres.mjs';

export const version = async () => `${await onhand.version()} on ${await postgres.version()}`;

export async function start(dir, options) {
  const database = await postgres.start(dir, options);
  try {
    const server = await onhand.start(dir, { ...options, store: `postgresql://postgres@127.0.0.1:${database.port}/postgres` });
    return { ...server, stop: () => server.stop().finally(database.stop) };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

export const { measure } = onhand;
