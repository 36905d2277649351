// What a vendor's codec finds before it: plain JavaScript without randomness, with a clock that stands at the message's
// time. It is evaluated anew for every message, and takes for itself what it needs once the codec has run.
(function (global) {
  "use strict";
  const RealDate = Date, parse = JSON.parse, stringify = JSON.stringify, finite = Number.isFinite;
  const construct = Reflect.construct, toNumber = Number, toText = String, isArray = Array.isArray, Failure = Error;
  const valueOf = Number.prototype.valueOf, call = Reflect.apply, RealMap = Map, RealSet = Set;
  let now = 0, input = null;

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

  // JSON has neither NaN nor integers beyond doubles, and shows a Map as an object without anything: as words they are
  // refused with their name, as they are they were lost.
  function plain(key, value) {
    if (value instanceof toNumber) value = call(valueOf, value, []);
    if (typeof value === "bigint") return finite(toNumber(value)) ? toNumber(value) : toText(value);
    if (typeof value === "number" && !finite(value)) return toText(value);
    if (value instanceof RealMap || value instanceof RealSet) return toText(value);
    return value;
  }

  function said(errors) {
    return isArray(errors) ? errors.length > 0 : Boolean(errors);
  }

  function finish(found) {
    const decodeUplink = found[0], Decode = found[1], Decoder = found[2];
    let answer;
    if (decodeUplink) {
      const told = { bytes: input.bytes, fPort: input.port, recvTime: new RealDate(now), variables: {} };
      const outcome = decodeUplink(told);
      if (outcome === null || typeof outcome !== "object") throw new Failure("decodeUplink returned no object");
      if (said(outcome.errors)) return stringify({ errors: toText(outcome.errors) });
      answer = outcome.data;
    } else if (Decode) answer = Decode(input.port, input.bytes, {});
    else if (Decoder) answer = Decoder(input.bytes, input.port);
    else throw new Failure("there is neither decodeUplink, nor Decode, nor Decoder");
    if (answer === null || typeof answer !== "object") throw new Failure("the codec returned no data");
    return stringify({ data: answer }, plain);
  }

  return function begin(text) {
    input = parse(text);
    now = input.at_ms;
    return finish;
  };
})(globalThis);
