// What the test asks of the official JavaScript client, told as JSON lines: `node client.mjs <base url> <token>`.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Good morning" }];
const tell = (what, told) => console.log(JSON.stringify({ what, ...told }));

const whole = await client.chat.completions.create({ model: "plain/words?tokens=20", messages });
tell("completion", { text: whole.choices[0].message.content, tokens: whole.usage.completion_tokens });

let streamed = "";
let usage = null;
for await (const chunk of await client.chat.completions.create({
  model: "plain/words?tokens=20&per_s=100", messages, stream: true, stream_options: { include_usage: true },
})) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
tell("chunks", { text: streamed, tokens: usage.completion_tokens });

// Begun in the background, left after a few events, and taken up again and again.
let text = "";
let last = -1;
let id = "";
let connects = 0;
let ended = "";
let stream = await client.responses.create({
  model: "plain/words?tokens=60&per_s=60", input: "Good morning", background: true, stream: true,
});
while (!ended) {
  let count = 0;
  for await (const event of stream) {
    if (event.sequence_number <= last) throw new Error(`number ${event.sequence_number} after ${last}`);
    last = event.sequence_number;
    id ||= event.response?.id;
    if (event.type === "response.output_text.delta") text += event.delta;
    if (event.type === "response.completed") ended = event.response.status;
    count += 1;
    if (count > 3) break;
  }
  connects += 1;
  if (!ended) stream = await client.responses.retrieve(id, { stream: true, starting_after: last });
}
tell("response", { text, connects, ended });
const again = await client.responses.retrieve(id);
tell("retrieved", { text: again.output_text, status: again.status });

const long = await client.responses.create({
  model: "plain/words?tokens=4000&per_s=40", input: "Good morning", background: true,
});
const cancelled = await client.responses.cancel(long.id);
tell("cancelled", { status: cancelled.status });

const listed = [];
for await (const model of client.models.list()) listed.push(model.id);
tell("models", { listed });

try {
  await client.chat.completions.create({ model: "nobody/nothing", messages });
} catch (error) {
  tell("refused", { name: error.constructor.name, code: error.code, status: error.status });
}
