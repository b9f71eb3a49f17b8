"""A word in a web page: `python -m bench.web` runs this project's WebAssembly and onnxruntime-web in Node."""
