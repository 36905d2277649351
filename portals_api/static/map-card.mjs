// The card that tells of what is chosen on the map. It changes where it stands: whoever reads it by keyboard, or is about
// to click on one of its links, keeps the place, however often the city changes meanwhile.
const PAGES = { facility: "/facilities/", cabinet: "/cabinets/", gateway: "/gateways/", feeder: "/feeders/", district: "/districts/" };
const KINDS = [...Object.keys(PAGES), "lamp", "street", "ticket"];
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };

export class Card {
  constructor(box, { close, onClose }) {
    this.box = box;
    this.title = element("h2", { id: "map-card-title" });
    this.lines = element("div");
    this.links = element("p", { className: "map-card-links" });
    const button = element("button", { type: "button", className: "map-close", textContent: "×" });
    button.setAttribute("aria-label", close);
    button.addEventListener("click", onClose);
    box.replaceChildren(button, this.title, this.lines, this.links);
  }

  get open() { return !this.box.hidden; }

  get focused() { return this.box.contains(document.activeElement); }

  focus() { this.box.focus(); }

  hide() { this.box.hidden = true; }

  /** Tell `{title, lines: [{text, mark}], links: [[text, href]]}`; what is told already stays untouched. */
  tell({ title, lines, links }) {
    write(this.title, title);
    lines.forEach((line, at) => this.line(line, this.lines.children[at]));
    while (this.lines.children.length > lines.length) this.lines.lastChild.remove();
    this.link(links);
    this.box.hidden = false;
  }

  line({ text, mark }, old) {
    const wanted = mark ? `map-mark mark-${mark}` : null;
    if (old && Boolean(old.querySelector(".map-mark")) === Boolean(wanted)) {
      write(old.lastChild, text);
      if (wanted && old.firstChild.className !== wanted) old.firstChild.className = wanted;
      return;
    }
    const made = element("p", wanted ? { className: "map-state" } : {}, ...(wanted ? [element("span", { className: wanted }), " "] : []), element("span", { textContent: text }));
    if (old) old.replaceWith(made); else this.lines.append(made);
  }

  link(links) {
    const before = new Map([...this.links.children].map((a) => [a.getAttribute("href"), a]));
    const kept = new Set(links.map(([, href]) => href));
    for (const [href, a] of before) {
      if (kept.has(href)) continue;
      const held = a === document.activeElement;
      a.remove();
      if (held) this.focus();
    }
    let next = this.links.firstElementChild;
    for (const [text, href] of links) {
      const a = before.get(href);
      if (a) { write(a, text); next = a.nextElementSibling; } else this.links.insertBefore(element("a", { href, textContent: text }), next);
    }
  }
}

/** What a card says of each kind of thing: `{title, lines, links}`, in the reader's language. */
export class CardWords {
  constructor(words) { Object.assign(this, words); }

  missing(kind, id) {
    const { texts } = this;
    const title = KINDS.includes(kind) ? `${texts[kind]} ${id}` : id; // The address may say anything.
    if (kind === "ticket" && /^\d+$/.test(id)) return { title, lines: [{ text: texts.not_open }], links: [[texts.open_page, `/tickets/${id}`]] };
    return { title, lines: [{ text: texts.none_named }], links: [[texts.search, `/search?q=${encodeURIComponent(id)}`]] };
  }

  lamp(id, { lamps, tickets, states }, names) {
    const { texts } = this;
    const at = lamps.index.get(id);
    const state = names[states[at]];
    const street = lamps.streets[lamps.street[at]];
    const lines = [{ mark: state, text: texts[`state_${state}`] }];
    if (street) lines.push({ text: street });
    return { title: `${texts.lamp} ${id}`, lines, links: [[texts.open_page, `/lamps/${encodeURIComponent(id)}`],
      ...tickets.filter((t) => t.scope.id === id).map((t) => [`${texts.ticket} #${t.id}`, t.url]),
      [texts.report, `/report?lamp=${encodeURIComponent(id)}`]] };
  }

  ticket({ id, category, state, scope, url }) {
    const { texts, categories, ticket_states: ticketStates } = this;
    return { title: `#${id} ${categories[category] || category}`, links: [[texts.open_page, url]], lines: [
      { text: ticketStates[state] || state }, { text: `${texts[scope.kind] || ""} ${scope.kind === "place" ? "" : scope.id}` }] };
  }

  /** `state` is the place's own, as far as the map knows one. */
  place({ kind, id, name, what, district }, state) {
    const { texts, kinds } = this;
    const titled = name && name !== id || kind === "street";
    const lines = [{ text: [kinds[what] || texts[kind], district].filter(Boolean).join(", ") }];
    const links = [];
    if (texts[state]) lines.push({ text: texts[state] });
    if (PAGES[kind]) links.push([texts.open_page, PAGES[kind] + encodeURIComponent(id)]);
    if (kind === "district" || kind === "street") links.push([texts.its_lamps, `/map/list?${new URLSearchParams({ [kind]: id })}`]);
    return { title: titled ? name : `${texts[kind] || ""} ${id}`, lines, links };
  }
}
