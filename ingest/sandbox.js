// What a vendor's codec runs in: plain JavaScript without randomness, with a clock that stands at the message's time,
// and with globals that no call can change, so that nothing passes from one message to the next.
(function (global) {
  "use strict";
  const RealDate = Date, parse = JSON.parse, stringify = JSON.stringify, finite = Number.isFinite;
  const construct = Reflect.construct, get = Reflect.get, toNumber = Number, toText = String, isArray = Array.isArray;
  const unscopables = Symbol.unscopables, create = Object.create, ScopeProxy = Proxy, Failure = Error;
  let now = 0;

  function FrozenDate(...parts) {
    if (!new.target) return new RealDate(now).toString();
    return construct(RealDate, parts.length ? parts : [now], new.target);
  }
  FrozenDate.prototype = RealDate.prototype;
  FrozenDate.now = () => now;
  FrozenDate.UTC = RealDate.UTC;
  FrozenDate.parse = RealDate.parse;
  RealDate.prototype.constructor = FrozenDate;
  global.Date = FrozenDate;

  Math.random = function () { throw new Failure("Math.random is not there: a replay must give the same"); };
  for (const name of ["performance", "WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics",
                      "queueMicrotask", "DOMException"]) delete global[name];
  const silent = function () {};
  global.console = { log: silent, info: silent, warn: silent, error: silent, debug: silent };

  // A name that is set without being declared lands in a scope of its own, which lives as long as one call.
  function freshScope() {
    const own = create(null);
    return new ScopeProxy(own, {
      has: () => true,
      get: (target, key) => (key === unscopables ? undefined : key in own ? own[key] : get(global, key)),
      set: (target, key, value) => { own[key] = value; return true; },
    });
  }

  // JSON has neither NaN nor integers beyond doubles: as words they are refused with their name, as null they were lost.
  function plain(key, value) {
    if (typeof value === "number" && !finite(value)) return toText(value);
    return typeof value === "bigint" ? toNumber(value) : value;
  }

  let factory = null;

  function found() {
    const [decodeUplink, Decode, Decoder] = factory(freshScope());
    return { decodeUplink, Decode, Decoder };
  }

  function run(text) {
    const input = parse(text);
    now = input.at_ms;
    const { decodeUplink, Decode, Decoder } = found();
    let answer;
    if (decodeUplink) {
      const told = { bytes: input.bytes, fPort: input.port, recvTime: new RealDate(now), variables: {} };
      const outcome = decodeUplink(told);
      if (outcome === null || typeof outcome !== "object") throw new Failure("decodeUplink returned no object");
      if (isArray(outcome.errors) && outcome.errors.length) return stringify({ errors: toText(outcome.errors) });
      answer = outcome.data;
    } else if (Decode) answer = Decode(input.port, input.bytes, {});
    else if (Decoder) answer = Decoder(input.bytes, input.port);
    else throw new Failure("there is neither decodeUplink, nor Decode, nor Decoder");
    if (answer === null || typeof answer !== "object") throw new Failure("the codec returned no data");
    return stringify({ data: answer }, plain);
  }

  function seal() {
    factory = global.__factory;
    delete global.__factory;
    delete global.__seal;
    // Frozen prototypes forbid that objects have a property of the same name: these two kinds are given one all the same.
    const kinds = [Object.prototype, Error.prototype, TypeError.prototype, RangeError.prototype, SyntaxError.prototype,
                   ReferenceError.prototype, EvalError.prototype, URIError.prototype];
    for (const prototype of kinds) for (const name of Object.getOwnPropertyNames(prototype)) {
      const held = Object.getOwnPropertyDescriptor(prototype, name);
      if (!("value" in held)) continue;
      Object.defineProperty(prototype, name, {
        configurable: false, enumerable: false,
        get() { return held.value; },
        set(value) {
          Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
        },
      });
    }
    const waiting = [global, (function* () {}).constructor, (async function () {}).constructor,
                     Object.getPrototypeOf([][Symbol.iterator]()), Object.getPrototypeOf(""[Symbol.iterator]()),
                     Object.getPrototypeOf(new Map()[Symbol.iterator]()), Object.getPrototypeOf(/x/[Symbol.matchAll]("")),
                     Object.getPrototypeOf(new Set()[Symbol.iterator]())];
    const done = new Set();
    while (waiting.length) {
      const item = waiting.pop();
      if (item === null || (typeof item !== "object" && typeof item !== "function") || done.has(item)) continue;
      done.add(item);
      Object.freeze(item);
      waiting.push(Object.getPrototypeOf(item));
      for (const key of Reflect.ownKeys(item)) {
        const held = Object.getOwnPropertyDescriptor(item, key);
        waiting.push(held.value, held.get, held.set);
      }
    }
  }

  global.__run = run;
  global.__seal = seal;
  global.__has = () => { const all = found(); return Boolean(all.decodeUplink || all.Decode || all.Decoder); };
})(globalThis);
