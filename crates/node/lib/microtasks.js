'use strict';

const { process, queueMicrotask } = require('./primordials');

/** "Report an exception": rethrows it later as an uncaught exception, so that the caller continues. */
function report(error) {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * The function that the host calls between two callbacks to run microtasks, and in Node.js also ticks. It has no
 * public name.
 */
let runTicks = findRunTicks();

function findRunTicks() {
  // This is not `require`, because bundlers try to find the module that `require` names.
  if (process.versions.bun !== undefined) return process.getBuiltinModule('bun:jsc').drainMicrotasks;
  const { Deno } = globalThis;
  return Deno?.[Deno.internal]?.core?.runNextTicks ?? process._tickCallback ?? (() => {});
}

if (runTicks.name === 'deprecated') {
  // With --pending-deprecation, the first call warns. With --throw-deprecation, it throws the warning.
  const deprecated = runTicks;
  runTicks = () => {
    runTicks = deprecated;
    const { emitWarning } = process;
    const restore = () => {
      process.emitWarning = emitWarning;
    };
    process.emitWarning = (warning, type, code, ...rest) => {
      restore();
      if (code !== 'DEP0134') emitWarning(warning, type, code, ...rest);
    };
    try {
      deprecated();
    } finally {
      restore();
    }
  };
}

/** "Perform a microtask checkpoint". An exception of a tick is reported, and the next ticks run. */
function checkpoint() {
  for (;;) {
    try {
      runTicks();
      return;
    } catch (error) {
      report(error);
    }
  }
}

module.exports = { checkpoint, report };
