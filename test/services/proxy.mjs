/*
 * What lies between a node and a server it needs: passes bytes on, until it is told to be a bad network.
 *
 *   cut()        every connection is reset, new ones are good
 *   cutWithin()  the next bytes that the client sends, or is sent, get through in part or not at all, then the same
 *   stall()      nothing passes in either direction and nobody is told; new connections get no further than connecting
 *   heal()       what was held back passes, however late
 */
import net from 'node:net';

export class Proxy {
  constructor(target) {
    this.target = target; /* {host, port}; of new connections */
    this.pairs = new Set();
    this.stalled = false;
    this.cuts = 0;
    this.pending = null;
    this.server = net.createServer({ noDelay: true }, (client) => this.accept(client));
  }

  async listen(port) {
    await new Promise((resolve, reject) => {
      this.server.on('error', reject).listen(port, '127.0.0.1', resolve);
    });
  }

  accept(client) {
    const pair = { client, server: null, over: false };
    this.pairs.add(pair);
    client.on('error', () => {});
    client.pause();
    if (!this.stalled) {
      this.connect(pair);
    }
  }

  connect(pair) {
    pair.server = net.connect({ ...this.target, noDelay: true });
    pair.server.on('error', () => {});
    this.forward(pair, pair.client, pair.server);
    this.forward(pair, pair.server, pair.client);
    pair.client.resume();
  }

  forward(pair, from, to) {
    from.on('data', (bytes) => {
      if (this.pending !== null && this.pending.fromClient === (from === pair.client)) {
        to.write(bytes.subarray(0, Math.floor(bytes.length * this.pending.part)), () => this.resetPair(pair));
        this.pending = null;
        this.cuts++;
        from.pause();
      } else {
        to.write(bytes);
      }
    });
    from.on('end', () => to.end());
    from.on('close', () => {
      pair.over = true;
      if (!this.stalled) {
        this.drop(pair);
      }
    });
  }

  drop(pair) {
    this.pairs.delete(pair);
    pair.client.destroy();
    pair.server?.destroy();
  }

  resetPair(pair) {
    this.pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server?.resetAndDestroy();
  }

  cut() {
    this.cuts += this.pairs.size > 0 ? 1 : 0;
    for (const pair of [...this.pairs]) {
      this.resetPair(pair);
    }
  }

  /* `part` of the bytes get through, 0 to 1. */
  cutWithin(fromClient, part) {
    this.pending = { fromClient, part };
  }

  stall() {
    this.stalled = true;
    for (const { client, server } of this.pairs) {
      client.pause();
      server?.pause();
    }
  }

  heal() {
    this.stalled = false;
    for (const pair of [...this.pairs]) {
      if (pair.server === null) {
        this.connect(pair);
      }
      pair.client.resume();
      pair.server.resume();
      if (pair.over) {
        this.drop(pair);
      }
    }
  }

  close() {
    this.server.close();
    this.cut();
  }
}
