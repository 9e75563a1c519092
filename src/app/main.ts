// The page: hands its address's settings to the element. `?source=camera|file|demo&model=URL&backend=auto|webgpu|wasm|cpu`
import '../elements/emotion-recognizer.ts';

const settings: Readonly<Record<string, RegExp>> = {
  source: /^(camera|file|demo)$/,
  backend: /^(auto|webgpu|wasm|cpu)$/,
  model: /./,
};

const recognizer = document.querySelector('emotion-recognizer');
const parameters = new URLSearchParams(location.search);
for (const [name, allowed] of Object.entries(settings)) {
  const value = parameters.get(name);
  if (value === null) continue;
  if (allowed.test(value)) recognizer?.setAttribute(name, value);
  else console.warn(`?${name}=${value} is not known; it is left at its default.`);
}
