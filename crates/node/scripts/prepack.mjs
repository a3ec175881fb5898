// Runs before `npm pack` and `npm publish` in this folder: it has no binaries, and the package needs those of all platforms.
console.error('could not pack this folder: run `cargo xtask dist`, which makes the packages in target/dist.');
process.exit(1);
