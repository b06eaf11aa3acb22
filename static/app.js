// Small behaviours on top of pages that work without any of them. Words come from the templates, as data attributes.
"use strict";

const language = document.documentElement.lang || undefined;

const within = (root, selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];

// Times in the shopper's own zone.
function localise(time) {
  const moment = new Date(time.dateTime);
  const sameDay = moment.toDateString() === new Date().toDateString();
  const day = sameDay ? {} : { day: "numeric", month: "long" };
  time.textContent = new Intl.DateTimeFormat(language, { ...day, hour: "numeric", minute: "2-digit" }).format(moment);
}

// "Ask again at 14:03 (41 sec)": the seconds are for the eye, the end is said once.
function countDown(wait) {
  const end = new Date(wait.dataset.until).getTime();
  const timer = wait.querySelector("[role=timer]");
  const seconds = new Intl.NumberFormat(language, { style: "unit", unit: "second", unitDisplay: "short" });
  const tick = () => {
    if (!wait.isConnected) return;
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left > 0) {
      timer.textContent = `(${seconds.format(left)})`;
      setTimeout(tick, 1000);
    } else {
      wait.hidden = true;
      document.getElementById("wait-over").textContent = wait.dataset.over;
    }
  };
  tick();
}

// Passwords: show and hide, and hidden again before they travel.
function reveal(button, shown) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  input.type = shown ? "text" : "password";
  button.textContent = shown ? button.dataset.hide : button.dataset.show;
  button.setAttribute("aria-label", shown ? button.dataset.hideLabel : button.dataset.showLabel);
}

function offerReveal(button) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  button.hidden = false;
  button.addEventListener("click", () => reveal(button, input.type === "password"));
}

const hidePasswords = (form) => within(form, ".reveal").forEach((button) => reveal(button, false));

// Advice on a new password; it never stops anybody.
function verdict(password, words, least) {
  const length = [...password].length;
  const different = new Set(password.toLowerCase()).size;
  const missing = least - length;
  if (!length) return "";
  if (missing > 1) return words.short.replace("{n}", new Intl.NumberFormat(language).format(missing));
  if (missing === 1) return words.last;
  if (different < 6) return words.plain;
  return length >= 16 && different >= 9 ? words.strong : words.good;
}

function advise(advice) {
  const input = document.getElementById(advice.dataset.advises);
  const least = input.minLength > 0 ? input.minLength : 12;
  let pause;
  input.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => { advice.textContent = verdict(input.value, advice.dataset, least); }, 600);
  });
}

// The code out of a text message, where the browser can read it. It fills the box and never sends.
function readCodeFromMessage(input) {
  if (!("OTPCredential" in window)) return;
  const stop = new AbortController();
  input.form.addEventListener("submit", () => stop.abort());
  navigator.credentials.get({ otp: { transport: ["sms"] }, signal: stop.signal })
    .then((message) => { if (message && input.isConnected && !input.value) input.value = message.code; })
    .catch(() => {});
}

// A request that did not come through: say so, keep the form, offer another try.
function offerAnotherTry(asked) {
  const card = document.getElementById("card");
  card.querySelector("#try-again")?.closest(".notice").remove();
  card.prepend(document.getElementById("offline").content.cloneNode(true));
  const button = card.querySelector("#try-again");
  button.addEventListener("click", () => {
    button.closest(".notice").remove();
    if (asked.matches("form")) asked.requestSubmit();
    else asked.click();
  });
  button.focus();
}

function enhance(root) {
  within(root, "time[data-local]").forEach(localise);
  within(root, "[data-until]").forEach(countDown);
  within(root, ".reveal").forEach(offerReveal);
  within(root, "[data-advises]").forEach(advise);
  within(root, "input[autocomplete=one-time-code]").forEach(readCodeFromMessage);
}

// The second of two clicks may come when the card that the first one brought is there: it was not meant for what stands
// there now (ux 48). A browser counts the clicks of a mouse; of taps it does not.
const TAPS_WITHIN = 500, FINGER = 24;
let click = {}, pointer;
document.addEventListener("pointerdown", (event) => { pointer = event.pointerType; }, true);
function isSecondClick(event) {
  if (!click.card || click.card === document.getElementById("card")) return false;
  const near = Math.hypot(event.clientX - click.x, event.clientY - click.y) < FINGER;
  const tapped = pointer === "touch" && near && event.timeStamp - click.at < TAPS_WITHIN;
  return event.detail > 1 || tapped;
}
for (const kind of ["mousedown", "click"]) {
  document.addEventListener(kind, (event) => {
    if (isSecondClick(event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (kind === "click") {
      click = { card: document.getElementById("card"), x: event.clientX, y: event.clientY, at: event.timeStamp };
    }
  }, true);
}
// A key that is held down is one press.
document.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.repeat) event.preventDefault(); });

// The second of two clicks asks nothing while the page it is on gives way to the one the first led to. If that page does
// not come, the forms work again.
let leavingUntil = 0;
window.addEventListener("pageshow", () => { leavingUntil = 0; });

document.addEventListener("submit", (event) => hidePasswords(event.target), true);
document.addEventListener("htmx:beforeRequest", (event) => {
  const asking = event.detail.elt;
  if (Date.now() < leavingUntil) event.preventDefault();
  else if (asking.matches("form, button")) asking.setAttribute("aria-busy", "true");
  // A line that nobody sees needs no news.
  else if (asking.closest("#delivery") && document.hidden) event.preventDefault();
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.getResponseHeader("HX-Redirect")) leavingUntil = Date.now() + 3000;
});
document.addEventListener("htmx:afterRequest", (event) => event.detail.elt.removeAttribute("aria-busy"));
// No room, or a database in trouble: as when nothing came back, what was typed stays.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (xhr.status !== 503 || !xhr.getResponseHeader("Retry-After") || !requestConfig.elt.matches("form, button")) return;
  event.detail.shouldSwap = false;
  event.detail.isError = true;
});
for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(failure, (event) => {
    if (event.detail.elt.matches("form, button")) offerAnotherTry(event.detail.elt);
  });
}
document.addEventListener("htmx:load", (event) => enhance(event.detail.elt));
// The card of the next step is read out and begins as its page would: at the top, in the box that is to be typed in, or
// else at its heading. Any other card goes on where its reader was, if that is still there; news in a line of it moves
// nobody.
function arrive(card) {
  document.getElementById("arrived").textContent = document.title;
  window.scrollTo(0, 0);
  (card.querySelector("[autofocus]") ?? document.getElementById("heading"))?.focus();
}
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.closest("#delivery")) return;
  if (event.target.id === "card" && event.detail.xhr?.getResponseHeader("HX-Push-Url")) arrive(event.target);
  else if (document.activeElement === document.body) document.getElementById("heading")?.focus();
});

// Back and forward: htmx asks for the page of that address, and here is what it leaves out. The last one that was asked
// for counts; an address that leads on is that of the page it led to; where nothing comes, the browser says so itself.
const reload = () => location.reload();
const withoutHash = (address) => address.split("#")[0];
let restoring;
document.addEventListener("htmx:historyCacheMiss", (event) => {
  restoring?.abort();
  restoring = event.detail.xhr;
  restoring.addEventListener("error", reload);
});
document.addEventListener("htmx:historyCacheMissLoad", (event) => {
  const address = event.detail.xhr.responseURL;
  if (address !== withoutHash(location.href)) history.replaceState(history.state, "", address);
  event.detail.path = location.pathname + location.search;
});
document.addEventListener("htmx:historyCacheMissLoadError", reload);
document.addEventListener("htmx:historyRestore", () => arrive(document));
// Who goes back or on while a page comes again, and nobody listens yet, gets the page of the address, too.
document.addEventListener("DOMContentLoaded", () => {
  const [page] = performance.getEntriesByType("navigation");
  const comesAgain = page && page.type !== "navigate";
  if (comesAgain && withoutHash(page.name) !== withoutHash(location.href)) reload();
});
