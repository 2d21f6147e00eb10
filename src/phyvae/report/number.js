// Show the domains of another number of them.
const k = cb_obj.value
cells.data.domain = cells.data[`domains ${k}`]
cells.change.emit()
walls.data = {...lines[k - 1].data}
