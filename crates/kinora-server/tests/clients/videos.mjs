// The Videos API through npm's openai, unmodified.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import OpenAI, { toFile } from "openai";

let server, folder, client;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "kinora-"));
  const flags = ["serve", "--listen", "127.0.0.1:0", "--data", folder, "--stand-in", "5"];
  server = spawn(process.env.KINORA, flags, { stdio: ["ignore", "pipe", "ignore"] });
  const lines = createInterface({ input: server.stdout });
  const [url] = await new Promise((resolve) => lines.once("line", (line) => resolve([line])));
  client = new OpenAI({ baseURL: url + "/v1", apiKey: "any", maxRetries: 0 });
});

after(async () => {
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill();
  await ended;
  await rm(folder, { recursive: true });
});

async function finished(video) {
  while (video.status === "queued" || video.status === "in_progress") {
    await new Promise((resolve) => setTimeout(resolve, 50));
    video = await client.videos.retrieve(video.id);
  }
  return video;
}

async function made(fields = {}) {
  const video = await finished(await client.videos.create({ prompt: "a stripe", ...fields }));
  assert.equal(video.status, "completed");
  return video;
}

async function bytes(id, query) {
  const answer = await client.videos.downloadContent(id, query);
  return Buffer.from(await answer.arrayBuffer());
}

test("create, retrieve, download each variant", async () => {
  const video = await made({ model: "sora-2", seconds: "4", size: "64x32" });
  assert.deepEqual([video.seconds, video.size, video.progress, video.error], ["4", "64x32", 100, null]);
  assert.equal((await bytes(video.id)).subarray(4, 8).toString(), "ftyp");
  assert.equal((await bytes(video.id, { variant: "thumbnail" })).subarray(8, 12).toString(), "WEBP");
  assert.equal((await bytes(video.id, { variant: "spritesheet" })).readUInt16BE(), 0xffd8);
});

test("remix, edit and extend, by id and by file", async () => {
  const video = await made({ seconds: "4" });
  const remix = await client.videos.remix(video.id, { prompt: "wider" });
  assert.equal(remix.remixed_from_video_id, video.id);
  const edit = await client.videos.edit({ prompt: "red", video: { id: video.id } });
  const longer = await client.videos.extend({ prompt: "on", seconds: "4", video: { id: video.id } });
  const sent = await client.videos.extend({ prompt: "on", seconds: "4", video: await toFile(await bytes(video.id), "v.mp4") });
  for (const other of [remix, edit, longer, sent]) {
    assert.equal((await finished(other)).status, "completed");
  }
  assert.deepEqual([longer.seconds, sent.seconds], ["8", "8"]);
});

test("characters", async () => {
  const data = await bytes((await made()).id);
  const character = await client.videos.createCharacter({ name: "Mossy", video: await toFile(data, "v.mp4") });
  assert.equal((await client.videos.getCharacter(character.id)).name, "Mossy");
  await made({ prompt: "Mossy runs", characters: [{ id: character.id }] });
});

test("list pages, delete", async () => {
  const own = [];
  for (let n = 0; n < 3; n++) own.unshift((await client.videos.create({ prompt: "page" })).id);
  const seen = [];
  for await (const video of client.videos.list({ limit: 2 })) seen.push(video.id);
  assert.deepEqual(seen.filter((id) => own.includes(id)), own);
  const gone = await client.videos.delete(own[0]);
  assert.deepEqual([gone.deleted, gone.object], [true, "video.deleted"]);
  await assert.rejects(client.videos.retrieve(own[0]), OpenAI.NotFoundError);
});

test("errors are the client's own", async () => {
  for (const [fields, param] of [
    [{ prompt: "" }, "prompt"],
    [{ size: "1280x720" }, "size"],
    [{ seconds: "100000" }, "seconds"],
    [{ model: "none" }, "model"],
  ]) {
    await assert.rejects(client.videos.create({ prompt: "a", ...fields }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, param);
      assert.equal(error.type, "invalid_request_error");
      return true;
    });
  }
});

test("files and models", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from("hello"), "a.txt"), purpose: "user_data" });
  assert.equal(await (await client.files.content(file.id)).text(), "hello");
  assert.equal((await client.files.delete(file.id)).deleted, true);
  assert.ok((await client.models.list()).data.some((model) => model.id === "sora-2"));
});
