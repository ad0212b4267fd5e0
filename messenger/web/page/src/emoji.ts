// A small set of emoji with words to find them by.
const lists: [string, string][] = [
  ['Faces', `😀 grinning happy|😃 smiling open mouth|😄 smiling eyes happy|😁 beaming teeth|😆 laughing squinting|😅 sweat relief nervous|🤣 rolling on the floor laughing|😂 tears of joy|🙂 slight smile|🙃 upside down|😉 wink|😊 blush smiling|😇 innocent halo angel|🥰 hearts love|😍 heart eyes love|🤩 star struck|😘 kiss|😋 yum delicious|😛 tongue|😜 winking tongue|🤪 zany crazy|🤗 hug|🤭 oops giggle|🤫 quiet shush|🤔 thinking hmm|🤨 raised eyebrow|😐 neutral|😶 no mouth speechless|😏 smirk|😒 unamused|🙄 rolling eyes|😬 grimace|😌 relieved calm|😔 pensive sad|😪 sleepy|😴 sleeping|😷 mask ill|🤒 thermometer ill|🤕 bandage hurt|🤢 nausea|🥵 hot|🥶 cold freezing|😵 dizzy|🤯 mind blown|🥳 party celebrate|😎 cool sunglasses|🤓 nerd|🧐 monocle|😕 confused|😟 worried|🙁 frown|😮 wow open mouth|😲 astonished|😳 flushed|🥺 pleading|😢 crying sad|😭 sobbing|😱 scream fear|😖 confounded|😞 disappointed|😓 downcast sweat|😩 weary|😫 tired|🥱 yawn|😤 huffing|😡 angry red|😠 angry|🤬 swearing|😈 devil smiling|💀 skull dead|💩 poo|🤡 clown|👻 ghost|👽 alien|🤖 robot`],
  ['Hands and people', `👋 wave hello bye|🤚 raised back of hand|✋ hand stop|👌 ok|🤌 pinched fingers|✌️ victory peace|🤞 crossed fingers luck|🤟 love you|🤘 horns rock|🤙 call me|👈 left|👉 right|👆 up|👇 down|👍 thumbs up yes good|👎 thumbs down no bad|✊ fist|👊 punch|👏 clap applause|🙌 raised hands hooray|👐 open hands|🤝 handshake deal|🙏 please thanks pray|✍️ writing|💪 strong muscle|👀 eyes look|🧠 brain|🫶 heart hands|🤷 shrug|🤦 facepalm|🙋 raising hand|💃 dancing|🕺 dancing man|🏃 running|🚶 walking|🧘 meditation calm`],
  ['Hearts and signs', `❤️ red heart love|🧡 orange heart|💛 yellow heart|💚 green heart|💙 blue heart|💜 purple heart|🖤 black heart|🤍 white heart|💔 broken heart|💕 two hearts|💯 hundred|✅ check done yes|❌ cross no|❓ question|❗ exclamation|⚠️ warning|🔥 fire|✨ sparkles|⭐ star|🌟 glowing star|💥 boom|💤 sleep|💬 speech|👁️ eye|🔒 locked|🔓 unlocked|🔑 key|🔔 bell|🔕 no bell|♻️ recycling|➕ plus|➖ minus`],
  ['Animals and nature', `🐶 dog|🐱 cat|🐭 mouse|🐹 hamster|🐰 rabbit|🦊 fox|🐻 bear|🐼 panda|🐨 koala|🐯 tiger|🦁 lion|🐮 cow|🐷 pig|🐸 frog|🐵 monkey|🐔 chicken|🐧 penguin|🐦 bird|🦆 duck|🦉 owl|🐺 wolf|🐴 horse|🦄 unicorn|🐝 bee|🦋 butterfly|🐌 snail|🐢 turtle|🐍 snake|🐙 octopus|🐬 dolphin|🐳 whale|🌵 cactus|🌲 tree|🍀 clover luck|🌹 rose flower|🌻 sunflower|🌍 earth world|🌙 moon|☀️ sun|⛅ cloud sun|🌧️ rain|⛈️ storm|❄️ snow|🌈 rainbow|🌊 wave sea`],
  ['Food and drink', `🍏 apple|🍌 banana|🍉 melon|🍇 grapes|🍓 strawberry|🍒 cherries|🍑 peach|🍍 pineapple|🥑 avocado|🍅 tomato|🥕 carrot|🌽 corn|🥐 croissant|🍞 bread|🧀 cheese|🥚 egg|🍔 burger|🍟 fries|🍕 pizza|🌮 taco|🍝 spaghetti|🍜 noodles|🍣 sushi|🍦 ice cream|🎂 cake birthday|🍪 biscuit cookie|🍫 chocolate|🍿 popcorn|☕ coffee|🍵 tea|🍺 beer|🍻 cheers|🍷 wine|🥂 clinking glasses`],
  ['Things and places', `🎉 party tada|🎁 gift present|🎈 balloon|🏆 trophy|⚽ football|🏀 basketball|🎾 tennis|🎲 dice game|🎮 video game|🎸 guitar|🎵 music note|🎬 film|📷 camera|💻 laptop computer|📱 phone|⌚ watch|💡 light bulb idea|🔧 wrench tool|🔨 hammer|🧰 toolbox|📦 parcel|✉️ letter mail|📎 paperclip|📌 pin|📅 calendar date|📈 chart up|📉 chart down|📝 memo note|📚 books|💰 money bag|💸 money wings|⏰ alarm clock|⏳ hourglass|🏠 house home|🏢 office|🏥 hospital|🏫 school|⛺ tent camping|🗻 mountain|🏖️ beach|🚗 car|🚕 taxi|🚌 bus|🚆 train|🚲 bicycle|✈️ plane|🚀 rocket|⛵ boat|🚦 traffic lights|🗺️ map`],
]

/** emoji lists groups of emoji, each with its words. */
export const emoji: [string, [string, string][]][] = lists.map(([title, text]) => [
  title,
  text.split('|').map((s) => {
    const at = s.indexOf(' ')
    return [s.slice(0, at), s.slice(at + 1)]
  }),
])
