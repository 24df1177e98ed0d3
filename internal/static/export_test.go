package static

// ChangeTime lets tests see what tags go by.
var ChangeTime = changeTime
