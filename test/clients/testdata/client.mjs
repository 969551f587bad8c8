// Calls the addresses that it is given with Node's fetch, until its input ends.

import { createHash } from "node:crypto";

let over = false;
process.stdin.on("end", () => { over = true; });
process.stdin.resume();

const line = new TextEncoder().encode("a line of an upload that nobody knows the length of\n");
const lines = 500;
const upload = new TextDecoder().decode(line).repeat(lines);
const digest = `${upload.length} ${createHash("sha256").update(upload).digest("hex")}`;

// stream is a body that is sent as it is made.
function stream() {
	let left = lines;
	return new ReadableStream({
		pull(controller) {
			if (left-- > 0) controller.enqueue(line);
			else controller.close();
		},
	});
}

async function call(url, want, options) {
	const answer = await fetch(url, options);
	const text = await answer.text();
	if (answer.status !== 200 || text !== want) {
		throw new Error(`${options?.method ?? "GET"} ${url}: ${answer.status} ${text.slice(0, 200)}`);
	}
}

async function work(base) {
	let calls = 0;
	do {
		await call(base + "/hello", "hello");
		await call(base + "/digest", digest, { method: "POST", body: upload });
		await call(base + "/digest", digest, { method: "POST", body: stream(), duplex: "half" });
		await call(base + "/moved-digest", digest, { method: "POST", body: upload });
		await call(base + "/zipped", "zipped ".repeat(1000));
		await Promise.all(Array.from({ length: 5 }, () => call(base + "/moved", "hello")));
		calls += 10;
	} while (!over);
	console.log(`${base}: ${calls} calls`);
}

const results = await Promise.allSettled(process.argv.slice(2).map((address) => work("http://" + address)));
for (const { reason } of results.filter(({ status }) => status === "rejected")) {
	console.log(reason);
	process.exitCode = 1;
}
