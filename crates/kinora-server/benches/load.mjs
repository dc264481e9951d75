// How fast the server answers while it works: node crates/kinora-server/benches/load.mjs target/release/kinora
// Starts servers of its own and prints a line of JSON for each measure. Needs Node 20 and nothing else.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = process.argv[2];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const tell = (what) => console.log(JSON.stringify(what));

async function serve(flags, act) {
  const folder = await mkdtemp(join(tmpdir(), "kinora-"));
  const server = spawn(program, ["serve", "--listen", "127.0.0.1:0", "--data", folder, ...flags], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const url = await new Promise((resolve) => createInterface({ input: server.stdout }).once("line", resolve));
  try {
    await act(url, server.pid);
  } finally {
    server.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function ask(url, body) {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(url, body && post);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function memory(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kb = (name) => Number(status.match(new RegExp(`${name}:\\s+(\\d+)`))[1]);
  return { rss_mb: kb("VmRSS") / 1000, anonymous_mb: kb("RssAnon") / 1000 };
}

function quantiles(times) {
  times.sort((a, b) => a - b);
  const at = (q) => Number(times[Math.min(times.length - 1, Math.floor(q * times.length))].toFixed(2));
  return { n: times.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) };
}

// 200 requests a second, half list and half retrieve, each timed from the moment it was due.
async function load(url, id, seconds) {
  const times = { list: [], retrieve: [] };
  const began = performance.now();
  const all = [];
  for (let n = 0; n < 200 * seconds; n++) {
    const due = began + n * 5;
    const wait = due - performance.now();
    if (wait > 0) await pause(wait);
    const kind = n % 2 ? "list" : "retrieve";
    const path = n % 2 ? "?limit=20" : `/${id}`;
    const sent = performance.now();
    all.push(ask(url + path).then(() => times[kind].push(performance.now() - sent)));
  }
  await Promise.all(all);
  return { list: quantiles(times.list), retrieve: quantiles(times.retrieve) };
}

await serve([], async (url, pid) => {
  await pause(2000);
  tell({ what: "idle, no model loaded", ...(await memory(pid)) });
  const videos = url + "/v1/videos";
  const ids = [];
  for (let n = 0; n < 20; n++) ids.push((await ask(videos, { prompt: "a red fox runs", seconds: "8" })).id);
  while ((await ask(`${videos}/${ids[0]}`)).progress < 2) await pause(50);
  tell({ what: "200 requests a second while kinora-1 generates", ...(await load(videos, ids[19], 20)) });
});

await serve(["--stand-in", "0", "--no-worker"], async (url) => {
  const began = performance.now();
  const times = [];
  const create = async () => {
    const sent = performance.now();
    await ask(url + "/v1/videos", { prompt: "a stripe" });
    times.push(performance.now() - sent);
  };
  const all = [];
  for (let n = 0; n < 1000; n++) {
    const wait = began + n * 10 - performance.now();
    if (wait > 0) await pause(wait);
    all.push(create());
  }
  await Promise.all(all);
  tell({ what: "1,000 creates, one each 10 ms", seconds: (performance.now() - began) / 1000, ...quantiles(times) });
});

await serve(["--stand-in", "10"], async (url) => {
  for (let n = 0; n < 20; n++) {
    const { id } = await ask(url + "/v1/videos", { prompt: "a stripe" });
    while ((await ask(`${url}/v1/videos/${id}`)).status !== "completed") await pause(20);
  }
  const metrics = await (await fetch(url + "/metrics")).text();
  const seconds = Number(metrics.match(/kinora_stage_seconds_total\{kind="encoding"\} (\S+)/)[1]);
  tell({ what: "from a job's last frame to completed in the record, 20 jobs", mean_ms: (seconds / 20) * 1000 });
});
