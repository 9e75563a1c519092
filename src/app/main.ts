// The page: hands its address's settings to the element. `?source=camera|file|demo&model=auto|URL&backend=auto|webgpu|wasm|cpu`
import '../elements/emotion-recognizer.ts';

const recognizer = document.querySelector('emotion-recognizer');
const parameters = new URLSearchParams(location.search);
for (const name of ['source', 'model', 'backend']) {
  const value = parameters.get(name);
  if (value) recognizer?.setAttribute(name, value);
}
