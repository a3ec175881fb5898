'use strict';
module.exports = require('../fullduplex.node');
