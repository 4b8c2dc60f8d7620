/** What was seen in one request, merged so that one act gives one event. */
export interface Sightings {}
