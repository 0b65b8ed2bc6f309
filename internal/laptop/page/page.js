// Two phones in one page. A phone keeps its tokens in a variable, as an app keeps them in
// its key store: a reload forgets them, and the next login gets the same tokens again.

const phones = [];
let demo; // client_id, username, password

/* Requests */

async function ask(phone, method, path, form, shown) {
	const headers = {};
	if (!form && phone.token) headers.Authorization = `Bearer ${phone.token.access_token}`;
	phone.say(`${method} ${path}${shown ? `\n${shown}` : ""}\n…`);
	let response, body = {};
	try {
		response = await fetch(path, { method, headers, body: form && new URLSearchParams({ client_id: demo.client_id, ...form }) });
		body = await response.json();
	} catch {
		if (!response) {
			phone.say(`${method} ${path}\nno answer`);
			return { status: 0, body };
		}
	}
	const members = Object.entries(body).map(([name, value]) => `${name}: ${/^(access|refresh)_token$/.test(name) ? short(value) : value}`);
	phone.say([`${method} ${path}`, shown, String(response.status), ...members].filter(Boolean).join("\n"));
	return { status: response.status, body };
}

const unanswered = (status) => status ? `No useful answer: ${status}.` : "No answer: is fob serve running?";

// A fob serve that was started anew has another password.
async function isOtherDemo() {
	const before = demo.password;
	try {
		demo = await (await fetch("/page/demo.json")).json();
	} catch {
		return false;
	}
	return demo.password !== before;
}

const short = (token) => `${token.slice(0, 7)}…${token.slice(-8)}`;

// A letter for each token, in the order of their first appearance.
const letters = new Map();

function letterOf(token) {
	if (!letters.has(token)) letters.set(token, letters.size);
	const n = letters.get(token);
	return { text: String.fromCharCode(65 + n % 26) + (n < 26 ? "" : Math.floor(n / 26)), hue: n % 4 };
}

/* A phone */

class Phone {
	constructor(name, device) {
		Object.assign(this, { name, device, token: null, dead: false, ended: false, busy: false });
		const section = document.getElementById("phone").content.cloneNode(true).firstElementChild;
		const heading = section.querySelector("h2");
		heading.textContent = name;
		heading.id = `phone-${device}`;
		section.id = device;
		section.setAttribute("aria-labelledby", heading.id);
		section.querySelector("pre").setAttribute("aria-label", `Last request of the ${name}`);
		section.querySelector("progress").setAttribute("aria-label", `Time left of the ${name}'s access token`);
		for (const button of section.querySelectorAll("button")) {
			button.setAttribute("aria-label", `${button.textContent}, ${name}`);
			button.addEventListener("click", () => this.press(button.dataset.action));
		}
		this.section = section;
		this.find = (selector) => section.querySelector(selector);
		document.getElementById("phones").append(section);
		this.tell("Signed out.");
	}

	get others() { return phones.filter((p) => p !== this); }

	say(text) { this.find("pre").textContent = text; }

	tell(text) {
		this.find(".status").textContent = text;
		this.draw();
	}

	async press(action) {
		if (this.busy) return; // one press at a time: a phone refreshes once, too
		this.busy = true;
		await this[action]();
		this.busy = false;
		await look();
	}

	async signIn() {
		const scope = document.querySelector("input[name=scope]:checked").value === "device" ? `read device_${this.device}` : "read";
		const login = () => ask(this, "POST", "/token",
			{ grant_type: "password", username: demo.username, password: demo.password, scope },
			`grant_type=password username=${demo.username} scope="${scope}"`);
		let { status, body } = await login();
		if (body.error === "invalid_grant" && await isOtherDemo()) ({ status, body } = await login());
		if (status !== 200) return this.refused(status, body);
		const before = this.token?.access_token;
		this.keep(body);
		const sharing = this.others.find((p) => p.token?.access_token === body.access_token);
		if (before === body.access_token) this.tell("Signed in again: the same token, with the time that is left.");
		else if (sharing) this.tell(`Signed in. It has the same token as the ${sharing.name}.`);
		else this.tell(scope === "read" ? "Signed in." : "Signed in, with a token of its own.");
	}

	async me() {
		const { status, body } = await ask(this, "GET", "/me");
		if (status === 200) return this.tell(`The API answers: ${body.username}${body.device ? ` on ${body.device}` : ", on some device"}.`);
		if (status === 401 && this.token) this.dead = true;
		this.tell(status === 401 && !this.token ? "The API wants a token, and this phone has none." : status === 401 ? "The API refuses its token." : unanswered(status));
	}

	async refresh() {
		if (!this.token?.refresh_token) return this.tell(this.token ? "It got no refresh token: this app gets one only with a device scope." : "Signed out: there is nothing to refresh.");
		const before = this.token;
		const { status, body } = await ask(this, "POST", "/token",
			{ grant_type: "refresh_token", refresh_token: before.refresh_token }, `grant_type=refresh_token refresh_token=${short(before.refresh_token)}`);
		if (status !== 200) return this.refused(status, body);
		this.keep(body);
		this.tell(`Refreshed: ${before.access_token === body.access_token ? "the same access token" : "a new access token"}, and a new refresh token.`);
	}

	async logOut() {
		if (!this.token) return this.tell("It is signed out already.");
		const { status } = await ask(this, "POST", "/revoke", { token: this.token.access_token }, `token=${short(this.token.access_token)}`);
		if (status !== 200) return this.tell("No answer that says it is logged out: try again.");
		this.token = null;
		this.dead = false;
		this.tell("Logged out.");
		// The other phone would find out at its next request. Here it makes one at once.
		for (const other of this.others.filter((p) => p.token && !p.dead)) {
			const { status: answer } = await ask(other, "GET", "/me");
			if (answer === 401) other.dead = true;
			other.tell(answer === 200 ? `Still signed in, after the ${this.name} logged out.` :
				answer === 401 ? `Logged out by the ${this.name}: the API refuses the token.` : unanswered(answer));
		}
	}

	keep(body) {
		const now = Date.now();
		this.dead = false;
		this.token = { ...body, ends: now + body.expires_in * 1000, refreshEnds: now + (body.refresh_token_expires_in ?? 0) * 1000 };
	}

	refused(status, body) {
		if (status === 400 && body.error === "invalid_grant" && this.token) this.dead = true;
		this.tell(status ? `Refused: ${body.error ?? status}.` : unanswered(status));
	}

	draw() {
		const { token } = this;
		const left = token ? Math.max(0, (token.ends - Date.now()) / 1000) : 0;
		const ended = Boolean(token) && left === 0;
		if (ended && !this.ended && !this.dead) this.find(".status").textContent = "Its access token has ended. Refresh it, or sign in again.";
		this.ended = ended;
		const inactive = this.dead || ended;
		this.section.dataset.state = !token ? "out" : inactive ? "dead" : "in";
		this.find(".access code").textContent = token ? short(token.access_token) : "none";
		this.find(".refresh code").textContent = token?.refresh_token ? short(token.refresh_token) : "none";
		this.find(".access .left").textContent = !token ? "" : inactive ? "inactive" : `${time(left)} left`;
		this.find(".refresh .left").textContent = !token?.refresh_token || this.dead ? "" : `${time((token.refreshEnds - Date.now()) / 1000)} left`;
		const badge = this.find(".badge"), bar = this.find("progress");
		badge.hidden = bar.hidden = !token;
		if (!token) return;
		const letter = letterOf(token.access_token);
		badge.textContent = letter.text;
		badge.dataset.hue = letter.hue;
		bar.max = longest.get(token.access_token) ?? longest.set(token.access_token, left).get(token.access_token);
		bar.value = inactive ? 0 : left;
	}
}

const longest = new Map(); // by token: the seconds that it had when it was first seen

function time(seconds) {
	const s = Math.max(0, Math.round(seconds));
	if (s >= 172800) return `${Math.round(s / 86400)} days`;
	const pad = (n) => String(n).padStart(2, "0");
	return s >= 3600 ? `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}` : `${Math.floor(s / 60)}:${pad(s % 60)}`;
}

/* What fob holds and did */

const meanings = {
	pk: "partition: a hash of the user", sk: "a hash of the app, and one of the app's grant", sb: "user's id", un: "user's name", kd: "user or client", cl: "app",
	sc: "scopes", dv: "device", au: "for which APIs", fm: "format of the token", rid: "random id, part of what tokens are made from", wn: "random, new with each write",
	cr: "made at", ttl: "may be swept from then on", es: "user's epoch", ec: "app's epoch", ei: "issuer's epoch", sv: "version of the scopes",
	at: "access token", at_prev: "access token before", rt: "refresh token", rt_prev: "refresh token before", rt_rotated: "when it was replaced", rt_idle: "ends then, if unused", label: "label for people",
	"…g": "generation", "…k": "key", "…i": "made at", "…e": "ends at", "…h": "SHA-256 of its secret",
};
const times = /^(cr|ttl|rt_rotated|rt_idle|.*\.[ie])$/;

function flat(item) {
	return Object.entries(item).flatMap(([name, value]) => typeof value === "object" && !Array.isArray(value) ?
		Object.entries(value).map(([inner, v]) => [`${name}.${inner}`, v]) : [[name, value]]);
}

function meaningOf(name) {
	const [outer, inner] = name.split(".");
	return inner ? `${meanings[outer]}: ${meanings[`…${inner}`]}` : meanings[name] ?? "";
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

function row(...cells) {
	const tr = document.createElement("tr");
	for (const text of cells) tr.insertCell().textContent = text;
	return tr;
}

// The list is changed where it differs, so that an open item stays open and keeps the focus.
function drawItems(items) {
	const list = document.getElementById("items");
	const there = new Map([...list.children].map((li) => [li.dataset.key, li]));
	const wanted = items.map((item) => {
		const key = `${item.pk} ${item.sk}`;
		const li = there.get(key) ?? document.getElementById("item").content.cloneNode(true).firstElementChild;
		there.delete(key);
		if (li.dataset.nonce === item.wn) return li;
		Object.assign(li.dataset, { key, nonce: item.wn });
		const find = (selector) => li.querySelector(selector);
		find(".device").textContent = item.dv ?? "no device";
		find(".scope").textContent = `${item.sc ?? ""}${item.dv ? ` device_${item.dv}` : ""}`.trim();
		find(".generation").textContent = item.at?.g ?? "0";
		find(".until").textContent = item.at ? clock(item.at.e) : "";
		find(".hash").textContent = item.at?.h ?? "";
		find("tbody").replaceChildren(...flat(item).map(([name, value]) =>
			row(name, times.test(name) ? `${value} (${new Date(value * 1000).toLocaleString()})` : String(value), meaningOf(name))));
		return li;
	});
	for (const gone of there.values()) gone.remove();
	wanted.forEach((li, at) => { if (list.children[at] !== li) list.insertBefore(li, list.children[at] ?? null); });
	document.getElementById("no-items").hidden = items.length > 0;
}

let drawn = -1;

function drawRequests({ requests, count, calls }) {
	if (count === drawn) return;
	drawn = count;
	document.getElementById("sum").textContent = `${count} request${count === 1 ? "" : "s"}, ${calls} call${calls === 1 ? "" : "s"} of DynamoDB.`;
	document.getElementById("requests").replaceChildren(...requests.toReversed().map((line) => {
		const tr = row([`/${line.endpoint}`, line.grant].filter(Boolean).join(" "), [line.status, line.outcome, line.code, line.reason].filter(Boolean).join(" "), line.store_calls);
		if (line.status >= 400) tr.cells[1].className = "bad";
		return tr;
	}));
}

async function look() {
	try {
		const state = await (await fetch("/page/state.json")).json();
		drawItems(state.items);
		drawRequests(state);
	} catch {
		document.getElementById("sum").textContent = "fob serve does not answer.";
		drawn = -1;
	}
}

demo = await (await fetch("/page/demo.json")).json();
phones.push(new Phone("iPhone", "iphone"), new Phone("iPad", "ipad"));
await look();
document.body.dataset.ready = "yes";
setInterval(() => phones.forEach((p) => p.draw()), 1000);
setInterval(() => { if (document.visibilityState === "visible") look(); }, 2000);
