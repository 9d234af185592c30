"""The fixed loops of the generated kernels, as modules to read. Nothing here is run: `kernel_source` takes their text,
keeps the lines whose `# if` holds, and puts a system's formulas in the place of the calls that `slots` declares."""
