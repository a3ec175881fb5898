'use strict';

const { process, queueMicrotask } = require('./primordials');

/** "Report an exception": it becomes an uncaught one, and the caller goes on. */
function report(error) {
  queueMicrotask(() => {
    throw error;
  });
}

/** What Node.js runs between two callbacks: ticks and microtasks. It has no public name. */
let runTicks = process._tickCallback ?? (() => {});

if (runTicks.name === 'deprecated') {
  // With --pending-deprecation, the first call warns, and with --throw-deprecation the warning is thrown.
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

/** "Perform a microtask checkpoint". What a tick throws is reported, and the next ticks run. */
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
