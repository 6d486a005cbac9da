// Does with `@vapi-ai/server-sdk` what the lines of its input say; the twin of python_client.py.
"use strict";

const readline = require("node:readline");
const { VapiClient, VapiError } = require("@vapi-ai/server-sdk");

const WRAPPED = new Set(["tools", "phone_numbers"]); // their updates carry the fields in `body`

const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

function request({ resource, id, body, query, upload }) {
  if (upload) return { file: new File([upload.text], upload.name, { type: upload.type }) };
  if (id && body && WRAPPED.has(resource)) return { id, body };
  return { ...(id && { id }), ...query, ...body };
}

async function perform(client, command) {
  const part = client[camel(command.resource)];
  return part[camel(command.method)](request(command));
}

async function main() {
  const client = new VapiClient({ token: process.env.VOXBUS_KEY, baseUrl: process.env.VOXBUS_API });
  say({ ready: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      say({ answer: (await perform(client, JSON.parse(line))) ?? null });
    } catch (error) {
      const known = error instanceof VapiError;
      say({ error: { status: (known && error.statusCode) || 0, body: known ? error.body ?? String(error) : String(error) } });
    }
  }
}

main();
