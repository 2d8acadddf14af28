/**
 * An app on a port. Knows no routes and no solver.
 *
 * @module
 */
import { serve } from "@hono/node-server";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { App } from "./app.ts";

/** Where to listen. */
export interface ListenOptions {
  /** 0: any that is free. */
  port: number;
  /** The address to listen on. */
  hostname: string;
  /** Aborting closes the port and all connections. */
  signal: AbortSignal;
  /** Hears the address once requests are taken. */
  onListen: (url: string) => void;
}

/**
 * Serves an app until the signal is aborted. Not by Deno.serve(), which does not notice that a client went away once the request's body was longer
 * than a few hundred bytes (Deno 2.9.6), as that of every real task is: its adaptation would go on for nobody.
 *
 * @throws {Error} when the port cannot be had
 */
export async function listen(app: App, { port, hostname, signal, onListen }: ListenOptions): Promise<void> {
  // What the adapter calls a request is none to Deno's own Request, which middleware makes others from.
  const fetch = ({ url, method, headers, body, signal }: Request) =>
    app.fetch(new Request(url, { method, headers, body, signal }));
  const server = serve({ fetch, port, hostname, overrideGlobalObjects: false });
  await once(server, "listening");
  const { address, family, port: own } = server.address() as AddressInfo;
  onListen(`http://${family === "IPv6" ? `[${address}]` : address}:${own}`);
  if (!signal.aborted) await once(signal, "abort");
  const closed = once(server, "close");
  server.close();
  if ("closeAllConnections" in server) server.closeAllConnections();
  await closed;
}
