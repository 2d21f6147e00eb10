// Show the patch of the cell under the cursor, and mark the cell in every figure.
const i = cb_data.index.indices[0]
if (i === undefined || i === pointed.tags[0]) return
pointed.tags = [i]
const c = cells.data
pointed.data = Object.fromEntries(["x", "y", "z1", "across"].map((name) => [name, [c[name][i]]]))
const k = c.nearest[i]
const count = shape.reduce((a, b) => a * b)
const picture = image.data.image[0]
const cut = (values, first, rows, columns, stride) =>
  Array.from({length: rows * columns}, (_, j) => values[first + Math.floor(j / columns) * stride + (j % columns)])
const show = (source, values) =>
  (source.data =
    shape.length == 1
      ? {x: source.data.x, y: values.map((value) => value / 255)}
      : {image: [new picture.constructor(values, shape)]})
const stored = (values) => cut(values, k * count, 1, count, count)
const stride = picture.shape[1]
show(patch, spectra ? stored(spectra) : cut(picture, c.top[i] * stride + c.left[i], ...shape, stride))
if (decoder) show(decoded, stored(decoder))
const place = (cell) => `(${c.row[cell]}, ${c.column[cell]})`
const shown = [spectra ? kept[k] : i, kept[k]]
titles.forEach((title, n) => (title.text = `${names[n]} ${place(shown[n])}`))
