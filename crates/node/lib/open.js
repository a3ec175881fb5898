'use strict';

const { toException } = require('./idl');
const { Socket } = require('./native');

/** Starts to connect; throws what a constructor of the standard throws. */
function openSocket(environment, number, { url, options }) {
  try {
    return new Socket(environment, number, url, options);
  } catch (error) {
    throw toException(error);
  }
}

module.exports = { openSocket };
