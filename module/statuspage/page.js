"use strict";
// Everything here works without it, too: it fetches the page anew and takes over what has
// changed, and knows keys. It asks nobody but the server that the page is from.
document.documentElement.classList.add("js");
const every = 5000, patience = 15000;
const parts = ["where", "alerts", "groups", "clients", "refused", "live"];
const find = document.querySelector(".find");
const rows = () => [...document.querySelectorAll("article")];
let seen = Date.now(), title = document.title, asked = 0, waiting = false;

const openOnes = () => rows().filter(row => row.firstElementChild.open).map(row => row.id);

// address is that of the page as it is now: what is looked for, and what is open.
function address() {
	const q = new URLSearchParams(new FormData(find));
	for (const name of openOnes()) q.append("open", name);
	if (!q.has("open")) q.append("open", "");
	return "/?" + q;
}

// busy is whoever is about to write something, which must not be taken away.
function busy() {
	const at = document.activeElement, marked = getSelection();
	return document.querySelector(".import[open]") || at && at.matches("#clients input")
		|| !marked.isCollapsed && document.getElementById("clients").contains(marked.anchorNode);
}

// place is what has the focus, so that its successor gets it.
function place() {
	const at = document.activeElement, row = at && at.closest("article");
	if (!row) return () => {};
	const all = [...row.querySelectorAll("summary, a, button, input")], n = all.indexOf(at);
	return () => {
		const now = document.getElementById(row.id);
		const next = now && [...now.querySelectorAll("summary, a, button, input")][n];
		if (next) next.focus({preventScroll: true});
	};
}

// renew takes the newest page over. Whoever asks later is answered, and nobody before.
async function renew() {
	const mine = ++asked;
	waiting = true;
	const answer = await fetch(address()).catch(() => null);
	const text = answer && answer.ok ? await answer.text().catch(() => null) : null;
	if (mine !== asked) return;
	waiting = false;
	if (text === null || busy()) return;
	const page = new DOMParser().parseFromString(text, "text/html");
	const again = place();
	for (const id of parts) document.getElementById(id).replaceWith(page.getElementById(id));
	again();
	title = page.title;
	document.querySelector("link[rel=icon]").replaceWith(page.querySelector("link[rel=icon]"));
	seen = Date.now();
	tell();
}

// tell says how old it all is.
function tell() {
	const age = Date.now() - seen, stale = document.getElementById("stale");
	const since = new Date(seen).toLocaleTimeString();
	stale.hidden = age < patience;
	if (age >= patience) {
		const said = "Stale: this page has not been answered since " + since + ". Is 'lamplighter tokens status --web' still running?";
		if (stale.textContent !== said) stale.textContent = said;
		document.title = "stale · lamplighter";
		return;
	}
	document.title = title;
	if (!document.querySelector("#alerts .alert")) document.getElementById("live").textContent = "Live, " + Math.round(age / 1000) + " s ago.";
}

setInterval(tell, 1000);
setInterval(() => { if (!document.hidden && !waiting && !busy()) renew(); }, every);
document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });

// What is opened is fetched when it is.
document.addEventListener("toggle", async event => {
	const more = event.target.open && event.target.querySelector(":scope > [data-later]");
	if (!more) return;
	const answer = await fetch("/client?name=" + encodeURIComponent(more.dataset.client)).catch(() => null);
	if (!answer || !answer.ok) return;
	more.replaceWith(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".more"));
}, true);

let soon;
find.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(renew, 150); });
find.addEventListener("submit", event => { event.preventDefault(); renew(); });
document.addEventListener("click", event => {
	const copy = event.target.closest(".copy"), chip = event.target.closest(".chip");
	if (copy) navigator.clipboard.writeText(copy.dataset.copy).then(() => { copy.textContent = "Copied"; setTimeout(() => { copy.textContent = "Copy"; }, 2000); });
	if (!chip || event.ctrlKey || event.metaKey || event.shiftKey) return;
	event.preventDefault();
	find.elements.show.value = new URL(chip.href).searchParams.get("show") || "";
	renew();
});

document.addEventListener("keydown", event => {
	if (event.ctrlKey || event.metaKey || event.altKey) return;
	const at = document.activeElement;
	if (event.key === "Escape" && at) at.blur();
	if (at && at.matches("input, select, textarea")) return;
	if (event.key === "/") {
		event.preventDefault();
		find.elements.q.focus();
		find.elements.q.select();
	}
	const all = rows(), here = all.indexOf(at && at.closest("article"));
	if (event.key === "j" || event.key === "k") {
		const next = all[Math.max(0, Math.min(all.length - 1, here + (event.key === "j" ? 1 : -1)))];
		if (next) next.querySelector("summary").focus();
	}
	if (event.key === "r" && here >= 0) {
		const form = all[here].querySelector("form[action='/refresh']");
		if (form) form.requestSubmit();
	}
});
